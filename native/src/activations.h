#pragma once

#include <ATen/core/Tensor.h>

namespace llava {

// libtorch's x · σ(x), of which an element's bits depend on no other.
at::Tensor silu(const at::Tensor& self);

}  // namespace llava
