// libtorch's products of activations with each other, and its convolution. In 16 bits, where the processor has no
// instructions for them, they are computed in float32: their operands are small beside the work.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "processor.h"

namespace llava {
namespace {

using OptionalTensor = std::optional<at::Tensor>;

at::Tensor matmul(const at::Tensor& self, const at::Tensor& other) {
  if (!isSlowType(self) || self.scalar_type() != other.scalar_type()) return at::matmul(self, other);
  return at::matmul(self.to(at::kFloat), other.to(at::kFloat)).to(self.scalar_type());
}

at::Tensor convolve(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
                    at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups) {
  if (!isSlowType(input) || input.scalar_type() != weight.scalar_type())
    return at::conv2d(input, weight, bias, stride, padding, dilation, groups);
  const OptionalTensor offset = bias && bias->defined() ? OptionalTensor(bias->to(at::kFloat)) : std::nullopt;
  return at::conv2d(input.to(at::kFloat), weight.to(at::kFloat), offset, stride, padding, dilation, groups)
      .to(input.scalar_type());
}

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const OptionalTensor& mask,
                  double dropout, bool causal, std::optional<double> scale, bool groupedQuery) {
  const auto type = query.scalar_type();
  if (!isSlowType(query) || key.scalar_type() != type || value.scalar_type() != type)
    return at::scaled_dot_product_attention(query, key, value, mask, dropout, causal, scale, groupedQuery);
  const bool hasSums = mask && mask->defined() && mask->scalar_type() == type;
  return at::scaled_dot_product_attention(query.to(at::kFloat), key.to(at::kFloat), value.to(at::kFloat),
                                          hasSums ? OptionalTensor(mask->to(at::kFloat)) : mask, dropout, causal, scale,
                                          groupedQuery)
      .to(type);
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("matmul(Tensor self, Tensor other) -> Tensor", matmul);
  library.def(
      "conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] dilation=1, "
      "int groups=1) -> Tensor",
      convolve);
  library.def(
      "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, "
      "bool is_causal=False, float? scale=None, bool enable_gqa=False) -> Tensor",
      attend);
}

}  // namespace
}  // namespace llava
