// llava::linear is libtorch's linear, but multiplies one bfloat16 row by libtorch's own matrix-vector kernel. Its linear
// calls oneDNN for bfloat16, which reads the weights at about half that kernel's speed.
#if defined(__x86_64__)
#define HAVE_AVX2_CPU_DEFINITION  // declares the kernel that is compiled for AVX2
#endif
#include <ATen/ATen.h>
#include <ATen/Version.h>
#include <ATen/core/grad_mode.h>
#include <ATen/native/cpu/ReducedPrecisionFloatGemvFastPathKernel.h>
#include <torch/library.h>

#include <limits>

namespace llava {
namespace {

using Kernel = at::native::bf16_gemv_fn;

// Undefined where the processor has none, or libtorch's linear takes it by itself.
Kernel matrixVectorKernel() {
#if defined(__x86_64__)
  if (at::get_cpu_capability() != "DEFAULT") return decltype(at::native::bf16_gemv_trans_stub)::AVX2;
#endif
  return nullptr;
}

bool isRecorded(const at::Tensor& tensor) { return at::GradMode::is_enabled() && tensor.requires_grad(); }

bool isOneRow(const at::Tensor& input, const at::Tensor& weight) {
  return input.is_cpu() && weight.is_cpu() && input.scalar_type() == at::kBFloat16 &&
         weight.scalar_type() == at::kBFloat16 && input.dim() > 0 && weight.dim() == 2 &&
         input.size(-1) == weight.size(1) && input.numel() == weight.size(1) && weight.is_contiguous() &&
         weight.numel() > 0 && weight.numel() <= std::numeric_limits<int>::max();
}

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  static const Kernel kernel = matrixVectorKernel();
  const bool hasBias = bias && bias->defined();
  if (!kernel || !isOneRow(input, weight) || isRecorded(input) || isRecorded(weight) || (hasBias && isRecorded(*bias)))
    return at::linear(input, weight, bias);
  const int rows = static_cast<int>(weight.size(0)), width = static_cast<int>(weight.size(1));
  auto shape = input.sizes().vec();
  shape.back() = rows;
  at::Tensor output = at::empty(shape, weight.options());
  const at::Tensor vector = input.contiguous();
  kernel(width, rows, at::BFloat16(1.0f), weight.const_data_ptr<at::BFloat16>(), width,
         vector.const_data_ptr<at::BFloat16>(), 1, at::BFloat16(0.0f), output.mutable_data_ptr<at::BFloat16>(), 1);
  return hasBias ? output.add_(*bias) : output;
}

TORCH_LIBRARY(llava, library) {
  library.def("linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linear);
}

}  // namespace
}  // namespace llava
