// llava::linear_of_rows is llava::linear whose rows are computed each as if it were alone: the sum of an output's products has
// one order, whatever the number of rows, of threads, and the place among them. libtorch's own chooses its order by all three.
#include <torch/library.h>

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "elements.h"
#include "lanes.h"
#include "row_pairs.h"
#include "row_pieces.h"
#include "tiled_product.h"

namespace llava {
namespace {

// Rows of activations whose products with weights are summed at once, in registers: with one row of weights after another as
// memory gives them, or with three.
constexpr int kStreamed = 8, kRows = 4, kColumns = 3;
// Up to so many rows of activations the first is faster, where as many as are summed at once stay in the nearest cache.
constexpr int kFewRows = 32;
// So much of activations stays in the nearest cache while weights pass through it.
constexpr int64_t kNearBytes = 24 << 10;
// How far ahead weights are asked for, in bytes: memory is slower than the products of a few rows.
constexpr int64_t kAhead = 3072;

// Some rows of weights [outputs, width], all of activations [count, width], and where results go.
template <typename Weight, typename Out>
struct Piece {
  const Weight* weights;
  int64_t outputs, width;
  const float* inputs;
  int64_t count;
  const float* bias;
  Out* out;
  int64_t outStride, ahead;
};

// A product's sum has one order in all kernels of lanes: eight lanes over the width, then the lanes, then what is left over.
template <typename Weight, typename Out, int rows, int columns>
LLAVA_LANES void multiplyTile(const Piece<Weight, Out>& piece, int64_t row, int64_t column) {
  const int64_t width = piece.width, ahead = piece.ahead;
  const float* inputs = piece.inputs + row * width;
  const Weight* weights = piece.weights + column * width;
  constexpr int64_t line = 64 / sizeof(Weight);
  Lanes sums[rows][columns];
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) sums[r][c] = splat(0);
  int64_t k = 0;
  for (; k + 8 <= width; k += 8) {
    Lanes weight[columns];
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c) {
      const Weight* from = weights + c * width + k;
      if (ahead > 0 && k % line == 0) __builtin_prefetch(reinterpret_cast<const char*>(from) + ahead);
      weight[c] = load(from);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const Lanes input = load(inputs + r * width + k);
#pragma GCC unroll 4
      for (int c = 0; c < columns; ++c) sums[r][c] = fused(input, weight[c], sums[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c) {
      float sum = sumOf(sums[r][c]);
      for (int64_t rest = k; rest < width; ++rest)
        sum += inputs[r * width + rest] * static_cast<float>(weights[c * width + rest]);
      piece.out[(row + r) * piece.outStride + column + c] = static_cast<Out>(piece.bias ? sum + piece.bias[column + c] : sum);
    }
}

template <typename Weight, typename Out, int rows, int columns>
LLAVA_LANES_TARGET void multiplyRows(const Piece<Weight, Out>& piece, int64_t row) {
  int64_t column = 0;
  for (; column + columns <= piece.outputs; column += columns) multiplyTile<Weight, Out, rows, columns>(piece, row, column);
  for (; column < piece.outputs; ++column) multiplyTile<Weight, Out, rows, 1>(piece, row, column);
}

// All rows, `most` of them at once.
template <int most, int columns, typename Weight, typename Out>
void multiplyAll(const Piece<Weight, Out>& piece) {
  const auto multiply = [&]<int... less>(std::integer_sequence<int, less...>) {
    using Multiply = void (*)(const Piece<Weight, Out>&, int64_t);
    constexpr Multiply of[] = {multiplyRows<Weight, Out, less + 1, columns>...};
    for (int64_t row = 0; row < piece.count; row += most) of[std::min<int64_t>(most, piece.count - row) - 1](piece, row);
  };
  multiply(std::make_integer_sequence<int, most>());
}

template <typename Weight>
LLAVA_LANES_TARGET const float* widened(const Weight* from, int64_t count, std::vector<float>& scratch) {
  scratch.resize(count);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __builtin_prefetch(reinterpret_cast<const char*>(from + i) + kAhead);
    store(scratch.data() + i, load(from + i));
  }
  for (; i < count; ++i) scratch[i] = static_cast<float>(from[i]);
  return scratch.data();
}
const float* widened(const float* from, int64_t, std::vector<float>&) { return from; }

template <typename Element>
void multiplyPiece(Piece<Element, Element> piece) {
  const int64_t width = piece.width;
  const bool isNear = std::min<int64_t>(piece.count, kStreamed) * width * static_cast<int64_t>(sizeof(float)) <= kNearBytes;
  if (piece.count <= (isNear ? kFewRows : kStreamed)) {
    piece.ahead = isNear ? kAhead : kColumns * width * static_cast<int64_t>(sizeof(Element));
    return isNear ? multiplyAll<kStreamed, 1>(piece) : multiplyAll<kRows, kColumns>(piece);
  }
  std::vector<float> scratch;
  for (int64_t column = 0; column < piece.outputs; column += kColumns) {
    const int64_t some = std::min<int64_t>(kColumns, piece.outputs - column);
    const float* weights = widened(piece.weights + column * width, some * width, scratch);
    multiplyAll<kRows, kColumns>(Piece<float, Element>{weights, some, width, piece.inputs, piece.count,
                                                       piece.bias ? piece.bias + column : nullptr, piece.out + column,
                                                       piece.outStride, 0});
  }
}

template <typename Element>
at::Tensor products(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  const at::Tensor rows = input.contiguous();
  const at::Tensor offsets = bias ? bias->to(at::kFloat).contiguous() : at::Tensor();
  const int64_t count = input.size(0), outputs = weight.size(0), width = weight.size(1);
  at::Tensor output = at::empty({count, outputs}, input.options());
  const float* bases = bias ? offsets.const_data_ptr<float>() : nullptr;
  const Element* weights = weight.const_data_ptr<Element>();
  Element* out = output.mutable_data_ptr<Element>();
  if constexpr (std::is_same_v<Element, at::BFloat16>)
    if (hasPairs()) {
      eachPiece(outputs, width * sizeof(Element), count * outputs * width, [&](int64_t start, int64_t some) {
        multiplyPairs(rows.const_data_ptr<Element>(), count, weights + start * width, some, width,
                      bases ? bases + start : nullptr, out + start, outputs);
      });
      return output;
    }
  std::vector<float> scratch;
  const float* inputs = widened(rows.const_data_ptr<Element>(), rows.numel(), scratch);
  eachPiece(outputs, width * sizeof(Element), count * outputs * width, [&](int64_t start, int64_t some) {
    multiplyPiece<Element>({weights + start * width, some, width, inputs, count, bases ? bases + start : nullptr,
                            out + start, outputs, 0});
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
  at::Tensor output;
  const bool isDone = withElement(input.scalar_type(), [&]<typename Element>(Element) {
    output = products<Element>(rows, held, offset);
  });
  TORCH_CHECK(isDone, "rows are not multiplied apart in ", input.scalar_type());
  return output.view(shape);
}

bool multipliesRowsApart(const at::Tensor& input) {
  return hasLanes() && input.is_cpu() && isElement(input.scalar_type());
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("linear_of_rows(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linearOfRows);
  library.def("multiplies_rows_apart(Tensor input) -> bool", multipliesRowsApart);
}

}  // namespace
}  // namespace llava
