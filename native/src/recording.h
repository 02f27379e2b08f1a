// What autograd has to know of.
#pragma once

#include <ATen/ATen.h>

namespace llava {

// Whether what is made of a tensor is recorded, for its gradient.
inline bool isRecorded(const at::Tensor& tensor) { return at::GradMode::is_enabled() && tensor.requires_grad(); }

}  // namespace llava
