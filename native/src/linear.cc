// llava::linear is libtorch's linear but for 16-bit weights on the CPU, in two cases where libtorch's own is slow:
// - a few bfloat16 rows, which are limited by how fast the weights are read;
// - several rows, where the processor has no instructions for products of that type, are multiplied in float32 by tiles of
//   the weight, widened one after another.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "bfloat16_rows.h"
#include "processor.h"
#include "recording.h"
#include "tiled_product.h"

namespace llava {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// From this many rows on libtorch's products, or those of widened tiles, are faster.
int64_t tooManyRows() { return multipliesBfloat16() ? 2 : 48; }

bool isFewRows(const at::Tensor& input, const at::Tensor& weight) {
  return input.is_cpu() && weight.is_cpu() && input.scalar_type() == at::kBFloat16 &&
         weight.scalar_type() == at::kBFloat16 && input.dim() > 0 && weight.dim() == 2 &&
         input.size(-1) == weight.size(1) && weight.is_contiguous() && weight.numel() > 0 &&
         input.numel() < tooManyRows() * weight.size(1);
}

at::Tensor fewRows(const at::Tensor& input, const at::Tensor& weight) {
  auto shape = input.sizes().vec();
  shape.back() = weight.size(0);
  return multiplyBfloat16Rows(asRows(input).contiguous(), weight).view(shape);
}

// Below this many rows widening takes longer than the products.
constexpr int64_t kFewestRows = 4;

bool isWidened(const at::Tensor& input, const at::Tensor& weight) {
  return isSlowType(weight) && input.is_cpu() && input.scalar_type() == weight.scalar_type() && input.dim() > 0 &&
         weight.dim() == 2 && input.size(-1) == weight.size(1) && weight.numel() > 0 &&
         input.numel() >= kFewestRows * weight.size(1);
}

TiledWeight widened(const at::Tensor& weight) {
  return {weight.size(0), weight.size(1), at::kFloat,
          [weight](at::Tensor tile, int64_t start) { tile.copy_(weight.narrow(0, start, tile.size(0))); }};
}

at::Tensor widenedForward(const at::Tensor& input, const at::Tensor& weight,
                          const std::optional<at::Tensor>& bias) {
  auto shape = input.sizes().vec();
  shape.back() = weight.size(0);
  return tiledProduct(asRows(input), widened(weight), bias, input.scalar_type()).view(shape);
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
    const at::Tensor gradient = asRows(gradients[0]).to(at::kFloat);
    at::Tensor inputGradient, weightGradient, biasGradient;
    if (context->needs_input_grad(0))
      inputGradient = tiledInputGradient(gradient, widened(weight)).to(input.scalar_type()).view(input.sizes());
    if (context->needs_input_grad(1))
      weightGradient = at::mm(gradient.t(), asRows(input).to(at::kFloat)).to(weight.scalar_type());
    if (context->saved_data.count("bias") && context->needs_input_grad(2))
      biasGradient = gradient.sum(0).to(static_cast<at::ScalarType>(context->saved_data["bias"].toInt()));
    return {inputGradient, weightGradient, biasGradient};
  }
};

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  static const bool hasRows = hasBfloat16Rows();
  const auto offset = bias && bias->defined() ? bias : std::nullopt;
  const bool recorded = isRecorded(input) || isRecorded(weight) || (offset && isRecorded(*offset));
  if (hasRows && !recorded && isFewRows(input, weight)) {
    const at::Tensor output = fewRows(input, weight);
    return offset ? output.add_(*offset) : output;
  }
  if (isWidened(input, weight))
    return recorded ? WidenedLinear::apply(input, weight, offset) : widenedForward(input, weight, offset);
  return at::linear(input, weight, bias);
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linear);
}

}  // namespace
}  // namespace llava
