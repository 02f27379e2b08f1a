// llava::linear is libtorch's linear but for 16-bit weights on the CPU, in two cases where libtorch's own is slow:
// - one bfloat16 row goes through libtorch's matrix-vector kernel, which reads the weights at about twice oneDNN's speed;
// - several rows, where the processor has no instructions for products of that type, are multiplied in float32 by blocks of
//   the weight, widened one after another, so that no copy of the whole weight is made.
#if defined(__x86_64__)
#define HAVE_AVX2_CPU_DEFINITION  // declares the kernel that is compiled for AVX2
#endif
#include <ATen/ATen.h>
#include <ATen/Version.h>
#include <ATen/core/grad_mode.h>
#include <ATen/native/cpu/ReducedPrecisionFloatGemvFastPathKernel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>

#include "processor.h"

namespace llava {
namespace {

using Kernel = at::native::bf16_gemv_fn;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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

at::Tensor multiplyVector(Kernel kernel, const at::Tensor& input, const at::Tensor& weight) {
  const int rows = static_cast<int>(weight.size(0)), width = static_cast<int>(weight.size(1));
  auto shape = input.sizes().vec();
  shape.back() = rows;
  at::Tensor output = at::empty(shape, weight.options());
  const at::Tensor vector = input.contiguous();
  kernel(width, rows, at::BFloat16(1.0f), weight.const_data_ptr<at::BFloat16>(), width,
         vector.const_data_ptr<at::BFloat16>(), 1, at::BFloat16(0.0f), output.mutable_data_ptr<at::BFloat16>(), 1);
  return output;
}

// Below this many rows widening takes longer than the products.
constexpr int64_t kFewestRows = 4;
// A widened block: 4 MiB, which stays in the caches, in rows that fill the product's own blocks.
constexpr int64_t kBlockElements = int64_t{1} << 20, kFewestBlockRows = 64;

bool isWidened(const at::Tensor& input, const at::Tensor& weight) {
  return isSlowType(weight) && input.is_cpu() && input.scalar_type() == weight.scalar_type() && input.dim() > 0 &&
         weight.dim() == 2 && input.size(-1) == weight.size(1) && weight.numel() > 0 &&
         input.numel() >= kFewestRows * weight.size(1);
}

at::Tensor rowsInFloat(const at::Tensor& tensor) {
  return tensor.reshape({-1, tensor.size(-1)}).to(at::kFloat);
}

// Calls use(block, first row, rows) for the weight's blocks in float32. A block is valid during its call.
template <typename Use>
void eachBlock(const at::Tensor& weight, const Use& use) {
  const int64_t rows = weight.size(0), width = weight.size(1);
  const int64_t size = std::min(rows, std::max(kFewestBlockRows, kBlockElements / width / kFewestBlockRows * kFewestBlockRows));
  const at::Tensor scratch = at::empty({size, width}, weight.options().dtype(at::kFloat));
  for (int64_t start = 0; start < rows; start += size) {
    const int64_t count = std::min(size, rows - start);
    at::Tensor block = scratch.narrow(0, 0, count);
    block.copy_(weight.narrow(0, start, count));
    use(block, start, count);
  }
}

at::Tensor widenedForward(const at::Tensor& input, const at::Tensor& weight,
                          const std::optional<at::Tensor>& bias) {
  const at::Tensor rows = rowsInFloat(input);
  at::Tensor output = at::empty({rows.size(0), weight.size(0)}, input.options());
  const at::Tensor offset = bias ? bias->to(at::kFloat) : at::Tensor();
  at::Tensor products;
  eachBlock(weight, [&](const at::Tensor& block, int64_t start, int64_t count) {
    if (!products.defined() || products.size(1) != count) products = at::empty({rows.size(0), count}, rows.options());
    if (bias)
      at::addmm_out(products, offset.narrow(0, start, count), rows, block.t());
    else
      at::mm_out(products, rows, block.t());
    output.narrow(1, start, count).copy_(products);
  });
  auto shape = input.sizes().vec();
  shape.back() = weight.size(0);
  return output.view(shape);
}

class WidenedLinear : public torch::autograd::Function<WidenedLinear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias) {
    context->save_for_backward({input, weight});
    if (bias) context->saved_data["bias"] = static_cast<int64_t>(bias->scalar_type());
    return widenedForward(input, weight, bias);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &input = saved[0], &weight = saved[1];
    TORCH_CHECK(!at::GradMode::is_enabled(), "a product widened from 16 bits has no second derivative");
    const at::Tensor gradient = rowsInFloat(gradients[0]);
    at::Tensor inputGradient, weightGradient, biasGradient;
    if (context->needs_input_grad(0)) {
      at::Tensor sum = at::empty({gradient.size(0), weight.size(1)}, gradient.options());
      eachBlock(weight, [&](const at::Tensor& block, int64_t start, int64_t count) {
        const at::Tensor part = gradient.narrow(1, start, count);
        if (start == 0)
          at::mm_out(sum, part, block);
        else
          sum.addmm_(part, block);
      });
      inputGradient = sum.to(input.scalar_type()).view(input.sizes());
    }
    if (context->needs_input_grad(1))
      weightGradient = at::mm(gradient.t(), rowsInFloat(input)).to(weight.scalar_type());
    if (context->saved_data.count("bias") && context->needs_input_grad(2))
      biasGradient = gradient.sum(0).to(static_cast<at::ScalarType>(context->saved_data["bias"].toInt()));
    return {inputGradient, weightGradient, biasGradient};
  }
};

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  static const Kernel kernel = matrixVectorKernel();
  const auto offset = bias && bias->defined() ? bias : std::nullopt;
  const bool recorded = isRecorded(input) || isRecorded(weight) || (offset && isRecorded(*offset));
  if (isWidened(input, weight))
    return recorded ? WidenedLinear::apply(input, weight, offset) : widenedForward(input, weight, offset);
  if (!kernel || !isOneRow(input, weight) || recorded) return at::linear(input, weight, bias);
  const at::Tensor output = multiplyVector(kernel, input, weight);
  return offset ? output.add_(*offset) : output;
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linear);
}

}  // namespace
}  // namespace llava
