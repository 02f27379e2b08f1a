#pragma once

#include <ATen/core/Tensor.h>

namespace llava {

// Whether the processor has the instructions for it.
bool hasBfloat16Rows();

// x [n, width] · Wᵀ of W [rows, width], both contiguous in bfloat16: float32 sums, rounded once. The weights are read once, in
// the order in which they lie; a row's bits depend neither on the rows beside it nor on the number of threads.
at::Tensor multiplyBfloat16Rows(const at::Tensor& input, const at::Tensor& weight);

}  // namespace llava
