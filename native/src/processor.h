#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace llava {

// The vector instructions that libtorch's products use here: "AMX-BF16", "AVX-512-BF16", "AVX-512", "AVX2" or what libtorch
// calls those of another processor. Limits that the environment sets count: ATEN_CPU_CAPABILITY, and oneDNN's
// ONEDNN_MAX_CPU_ISA or DNNL_MAX_CPU_ISA.
const std::string& instructionSet();

// Whether the processor multiplies bfloat16 by instructions of its own, which outrun those of float32.
bool multipliesBfloat16();

// Whether products in this type are faster in float32, conversions included: those of 16 bits on the CPU for which it has no
// instructions. Unknown of other processors than x86, whose products are left alone.
bool isSlowType(const at::Tensor& tensor);

}  // namespace llava
