// llava::linear_of_rows is llava::linear whose rows are computed each as if it were alone: the sum of an output's products has
// one order, whatever the number of rows, of threads, and the place among them. libtorch's own chooses its order by all three.
#include <torch/library.h>

#include "lanes.h"
#include "row_pieces.h"
#include "tiled_product.h"

namespace llava {
namespace {

// Rows of activations and of weights whose products are summed at once: their sums stay in registers.
constexpr int kRows = 4, kColumns = 3;

template <typename Element, int rows, int columns>
LLAVA_LANES void multiplyTile(const float* inputs, const Element* weights, int64_t width, const float* bias,
                              Element* out, int64_t outStride) {
  Lanes sums[rows][columns];
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) sums[r][c] = splat(0);
  int64_t k = 0;
  for (; k + 8 <= width; k += 8) {
    Lanes weight[columns];
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c) weight[c] = load(weights + c * width + k);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const Lanes input = load(inputs + r * width + k);
#pragma GCC unroll 4
      for (int c = 0; c < columns; ++c) sums[r][c] = fused(input, weight[c], sums[r][c]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c) {
      float sum = sumOf(sums[r][c]);
      for (int64_t rest = k; rest < width; ++rest)
        sum += inputs[r * width + rest] * static_cast<float>(weights[c * width + rest]);
      out[r * outStride + c] = static_cast<Element>(bias ? sum + bias[c] : sum);
    }
}

template <typename Element, int rows>
LLAVA_LANES_TARGET void multiplyRows(const float* inputs, const Element* weights, int64_t width, int64_t outputs,
                                     const float* bias, Element* out, int64_t outStride) {
  int64_t n = 0;
  for (; n + kColumns <= outputs; n += kColumns)
    multiplyTile<Element, rows, kColumns>(inputs, weights + n * width, width, bias ? bias + n : nullptr, out + n,
                                          outStride);
  for (; n < outputs; ++n)
    multiplyTile<Element, rows, 1>(inputs, weights + n * width, width, bias ? bias + n : nullptr, out + n, outStride);
}

template <typename Element>
at::Tensor products(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  const at::Tensor wide = input.to(at::kFloat).contiguous();
  const at::Tensor offsets = bias ? bias->to(at::kFloat).contiguous() : at::Tensor();
  const int64_t count = input.size(0), outputs = weight.size(0), width = weight.size(1);
  at::Tensor output = at::empty({count, outputs}, input.options());
  const float* inputs = wide.const_data_ptr<float>();
  const float* bases = bias ? offsets.const_data_ptr<float>() : nullptr;
  const Element* weights = weight.const_data_ptr<Element>();
  Element* out = output.mutable_data_ptr<Element>();
  eachPiece(outputs, width * sizeof(Element), count * outputs * width, [&](int64_t start, int64_t some) {
    const Element* piece = weights + start * width;
    const float* base = bases ? bases + start : nullptr;
    int64_t i = 0;
    for (; i + kRows <= count; i += kRows)
      multiplyRows<Element, kRows>(inputs + i * width, piece, width, some, base, out + i * outputs + start, outputs);
    for (; i + 2 <= count; i += 2)
      multiplyRows<Element, 2>(inputs + i * width, piece, width, some, base, out + i * outputs + start, outputs);
    if (i < count)
      multiplyRows<Element, 1>(inputs + i * width, piece, width, some, base, out + i * outputs + start, outputs);
  });
  return output;
}

at::Tensor linearOfRows(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  const auto offset = bias && bias->defined() ? bias : std::nullopt;
  TORCH_CHECK(hasLanes() && input.is_cpu() && weight.is_cpu(), "rows are multiplied apart on CPUs with AVX2 alone");
  TORCH_CHECK(input.scalar_type() == weight.scalar_type() && input.dim() > 0 && weight.dim() == 2 &&
                  input.size(-1) == weight.size(1) && (!offset || offset->numel() == weight.size(0)),
              "expected [..., n] · [m, n] of one type, got ", input.sizes(), " of ", input.scalar_type(), " and ",
              weight.sizes(), " of ", weight.scalar_type());
  auto shape = input.sizes().vec();
  shape.back() = weight.size(0);
  const at::Tensor rows = asRows(input), held = weight.contiguous();
  switch (input.scalar_type()) {
    case at::kFloat: return products<float>(rows, held, offset).view(shape);
    case at::kBFloat16: return products<at::BFloat16>(rows, held, offset).view(shape);
    case at::kHalf: return products<at::Half>(rows, held, offset).view(shape);
    default: TORCH_CHECK(false, "rows are not multiplied apart in ", input.scalar_type());
  }
}

bool multipliesRowsApart(const at::Tensor& input) {
  const auto type = input.scalar_type();
  return hasLanes() && input.is_cpu() && (type == at::kFloat || type == at::kBFloat16 || type == at::kHalf);
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("linear_of_rows(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linearOfRows);
  library.def("multiplies_rows_apart(Tensor input) -> bool", multipliesRowsApart);
}

}  // namespace
}  // namespace llava
