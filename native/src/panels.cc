// llava::linears_of_panels multiplies rows with weights that lie in panels of sixteen outputs, as memory is read best: once,
// from beginning to end, whatever the number of rows. An output's products are summed one after another over the width, so
// that a row is computed as if it were alone.
#include "panels.h"

#include <torch/library.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "elements.h"
#include "huge_memory.h"
#include "lanes.h"
#include "panel_pairs.h"
#include "row_pairs.h"
#include "row_pieces.h"
#include "tiled_product.h"

namespace llava {
namespace {

// Rows whose sums with a panel are in registers at once: of 16 registers, 12 sums.
constexpr int kRows = 6;

// Places of the width that lie side by side.
constexpr int64_t placesOf(at::ScalarType type) { return type == at::kBFloat16 ? 2 : 1; }

// Numbers of a panel are kept as integers of their size: nobody takes them for a matrix.
at::ScalarType keptAs(at::ScalarType type) { return type == at::kFloat ? at::kInt : at::kShort; }

int64_t roundedUp(int64_t width, int64_t places) { return (width + places - 1) / places * places; }

template <typename Element>
constexpr int64_t places = std::is_same_v<Element, at::BFloat16> ? 2 : 1;

// Where a weight lies, in numbers from the panels' beginning; `width` is a multiple of the places side by side.
template <typename Element>
int64_t placeOf(int64_t output, int64_t k, int64_t width) {
  constexpr int64_t together = places<Element>;
  return (output / kPanel * width + k / together * together) * kPanel + output % kPanel * together + k % together;
}

template <typename Element>
void layPanels(const at::Tensor& weight, Element* panels) {
  const at::Tensor held = weight.contiguous();
  const int64_t outputs = held.size(0), own = held.size(1), width = roundedUp(own, places<Element>);
  const Element* from = held.const_data_ptr<Element>();
  inParallel(panelsOf(outputs), 1, [&](int64_t begin, int64_t end) {
    for (int64_t output = begin * kPanel; output < end * kPanel; ++output)
      for (int64_t k = 0; k < width; ++k)
        panels[placeOf<Element>(output, k, width)] = output < outputs && k < own ? from[output * own + k] : Element(0.0f);
  });
}

// Weights [outputs, width] of one type → of each its panels [outputs/16, width/places, 16, places], both rounded up, in one piece
// of memory.
std::vector<at::Tensor> panelsFrom(at::TensorList weights) {
  TORCH_CHECK(!weights.empty(), "there are no weights");
  const auto type = weights[0].scalar_type();
  const int64_t side = placesOf(type);
  std::vector<int64_t> sizes;
  int64_t all = 0;
  for (const at::Tensor& weight : weights) {
    TORCH_CHECK(weight.is_cpu() && weight.dim() == 2 && weight.scalar_type() == type && isElement(type),
                "expected matrices of one floating type on the CPU, got ", weight.sizes(), " of ", weight.scalar_type());
    // Each begins where a line of the cache does.
    sizes.push_back(panelsOf(weight.size(0)) * roundedUp(weight.size(1), side) * kPanel);
    all += roundedUp(sizes.back(), 64);
  }
  const at::Tensor memory = hugeEmpty({all}, keptAs(type));
  std::vector<at::Tensor> panels;
  int64_t at = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const at::Tensor part = memory.narrow(0, at, sizes[i]).view({panelsOf(weights[i].size(0)), -1, kPanel, side});
    at += roundedUp(sizes[i], 64);
    withElement(type, [&]<typename Element>(Element) {
      layPanels<Element>(weights[i], static_cast<Element*>(part.mutable_data_ptr()));
    });
    panels.push_back(part);
  }
  return panels;
}

// The weights of a place of the width, the first or second of those side by side.
template <typename Element>
LLAVA_LANES Lanes readPlace(const Element* from, int64_t place) {
  if constexpr (std::is_same_v<Element, at::BFloat16>)
    return place == 0 ? evens(from) : odds(from);
  else
    return load(from);
}

// Panels of some outputs, all of activations [count, width], and where results go.
template <typename Element>
struct Piece {
  const float* inputs;
  int64_t count;
  const Element* panels;
  int64_t outputs, width;
  const float* bias;
  Element* out;
  int64_t outStride;
};

template <typename Element, int rows>
LLAVA_LANES_TARGET void multiply(const Piece<Element>& piece, int64_t row, int64_t panel) {
  constexpr int64_t together = places<Element>;
  const int64_t width = piece.width, column = panel * kPanel;
  const float* inputs = piece.inputs + row * width;
  const Element* weights = piece.panels + column * width;
  Lanes sums[rows][2];
  for (int r = 0; r < rows; ++r) sums[r][0] = sums[r][1] = splat(0);
  for (int64_t k = 0; k < width; k += together) {
    const Element* from = weights + k * kPanel;
    if (row == 0) __builtin_prefetch(reinterpret_cast<const char*>(from) + kAhead);
#pragma GCC unroll 2
    for (int64_t place = 0; place < together; ++place) {
      const Lanes low = readPlace(from, place), high = readPlace(from + 8 * together, place);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const Lanes input = splat(inputs[r * width + k + place]);
        sums[r][0] = fused(input, low, sums[r][0]);
        sums[r][1] = fused(input, high, sums[r][1]);
      }
    }
  }
  const int64_t some = std::min(kPanel, piece.outputs - column);
  for (int r = 0; r < rows; ++r) {
    float numbers[kPanel];
    store(numbers, sums[r][0]);
    store(numbers + 8, sums[r][1]);
    Element* out = piece.out + (row + r) * piece.outStride + column;
    for (int64_t i = 0; i < some; ++i) out[i] = static_cast<Element>(piece.bias ? numbers[i] + piece.bias[column + i] : numbers[i]);
  }
}

template <typename Element>
void multiplyPanels(const Piece<Element>& piece) {
  const int64_t rows = evenly(piece.count, kRows), panels = panelsOf(piece.outputs);
  const auto go = [&]<int... less>(std::integer_sequence<int, less...>) {
    using Multiply = void (*)(const Piece<Element>&, int64_t, int64_t);
    constexpr Multiply of[] = {multiply<Element, less + 1>...};
    for (int64_t panel = 0; panel < panels; ++panel)
      for (int64_t row = 0; row < piece.count; row += rows) of[std::min(rows, piece.count - row) - 1](piece, row, panel);
  };
  go(std::make_integer_sequence<int, kRows>());
}

// Rows of activations with as many places as panels have, as `To`.
template <typename To>
at::Tensor widened(const at::Tensor& rows, int64_t width) {
  const at::Tensor held = rows.to(c10::CppTypeToScalarType<To>::value);
  return (held.size(1) == width ? held : at::constant_pad_nd(held, {0, width - held.size(1)})).contiguous();
}

// What multiplies rows with some panels of one of the weights.
template <typename Element>
struct Product {
  const Element* panels;
  int64_t outputs;
  const float* bias;
  Element* out;
};

// Calls work(product, first panel, panels) until all panels of all products have had their turn.
template <typename Element, typename Work>
void eachPanel(const std::vector<Product<Element>>& products, int64_t count, int64_t width, const Work& work) {
  int64_t all = 0;
  for (const auto& product : products) all += panelsOf(product.outputs);
  const int64_t numbers = kPanel * width;
  eachPiece(all, numbers * sizeof(Element), count * all * numbers, [&](int64_t start, int64_t some) {
    for (const auto& product : products) {
      const int64_t own = panelsOf(product.outputs), end = std::min(own, start + some);
      if (start < end) work(product, std::max<int64_t>(0, start), end - std::max<int64_t>(0, start));
      start -= own;
    }
  });
}

template <typename Element>
void multiplyAll(const at::Tensor& rows, const std::vector<Product<Element>>& products, int64_t width) {
  const int64_t count = rows.size(0);
  if constexpr (std::is_same_v<Element, at::BFloat16>)
    if (hasPairs()) {
      const at::Tensor inputs = widened<Element>(rows, width);
      eachPanel<Element>(products, count, width, [&](const Product<Element>& product, int64_t start, int64_t some) {
        const int64_t first = start * kPanel;
        multiplyPanelsOfPairs(inputs.const_data_ptr<Element>(), count, product.panels + first * width,
                              std::min(some * kPanel, product.outputs - first), width,
                              product.bias ? product.bias + first : nullptr, product.out + first, product.outputs);
      });
      return;
    }
  const at::Tensor inputs = widened<float>(rows, width);
  eachPanel<Element>(products, count, width, [&](const Product<Element>& product, int64_t start, int64_t some) {
    const int64_t first = start * kPanel;
    multiplyPanels<Element>({inputs.const_data_ptr<float>(), count, product.panels + first * width,
                             std::min(some * kPanel, product.outputs - first), width,
                             product.bias ? product.bias + first : nullptr, product.out + first, product.outputs});
  });
}

void checkPanels(const at::Tensor& panels, at::ScalarType type, int64_t outputs, int64_t width) {
  const int64_t side = placesOf(type);
  TORCH_CHECK(panels.is_cpu() && panels.dim() == 4 && panels.is_contiguous() && panels.scalar_type() == keptAs(type) &&
                  panels.size(0) == panelsOf(outputs) && panels.size(1) * side == roundedUp(width, side) &&
                  panels.size(2) == kPanel && panels.size(3) == side,
              "expected panels of a weight [", outputs, ", ", width, "] in ", type, ", got ", panels.sizes(), " of ",
              panels.scalar_type());
}

// input [..., width] → of each weight, [..., outputs]; `biases` has none, or one for each. Nothing is recorded.
std::vector<at::Tensor> linearsOfPanels(const at::Tensor& input, at::TensorList panels, at::IntArrayRef outputs,
                                        at::TensorList biases) {
  const auto type = input.scalar_type();
  TORCH_CHECK(hasLanes() && input.is_cpu() && input.dim() > 0 && isElement(type), "rows are not multiplied with panels in ",
              type, " on ", input.device());
  TORCH_CHECK(panels.size() == outputs.size() && (biases.empty() || biases.size() == panels.size()),
              "expected a number of outputs for each weight, and a bias for each or none");
  const at::Tensor rows = asRows(input);
  const int64_t own = rows.size(1), width = roundedUp(own, placesOf(type));
  auto shape = input.sizes().vec();
  std::vector<at::Tensor> results, offsets;
  for (size_t i = 0; i < panels.size(); ++i) {
    checkPanels(panels[i], type, outputs[i], own);
    results.push_back(at::empty({rows.size(0), outputs[i]}, input.options()));
    if (!biases.empty()) {
      TORCH_CHECK(biases[i].numel() == outputs[i], "expected a bias [", outputs[i], "], got ", biases[i].sizes());
      offsets.push_back(biases[i].to(at::kFloat).contiguous());
    }
  }
  withElement(type, [&]<typename Element>(Element) {
    std::vector<Product<Element>> products;
    for (size_t i = 0; i < panels.size(); ++i)
      products.push_back({static_cast<const Element*>(panels[i].const_data_ptr()), outputs[i],
                          offsets.empty() ? nullptr : offsets[i].const_data_ptr<float>(),
                          results[i].mutable_data_ptr<Element>()});
    if (rows.numel() > 0) multiplyAll(rows, products, width);
  });
  for (size_t i = 0; i < results.size(); ++i) {
    shape.back() = outputs[i];
    results[i] = results[i].view(shape);
  }
  return results;
}

// The weights of some outputs [n], whose numbers are int64 → [n, width].
at::Tensor rowsOfPanels(const at::Tensor& panels, const at::Tensor& outputs, int64_t width, at::ScalarType type) {
  TORCH_CHECK(outputs.is_cpu() && outputs.dim() == 1 && outputs.scalar_type() == at::kLong, "expected numbers [n], got ",
              outputs.sizes(), " of ", outputs.scalar_type());
  const int64_t all = panels.size(0) * kPanel;
  checkPanels(panels, type, all, width);
  const at::Tensor chosen = outputs.contiguous(), rows = at::empty({outputs.size(0), width}, panels.options().dtype(type));
  const int64_t padded = roundedUp(width, placesOf(type));
  const int64_t* output = chosen.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < chosen.size(0); ++i)
    TORCH_CHECK(output[i] >= 0 && output[i] < all, "there is no output ", output[i], " of ", all);
  withElement(type, [&]<typename Element>(Element) {
    const Element* from = static_cast<const Element*>(panels.const_data_ptr());
    Element* to = rows.mutable_data_ptr<Element>();
    inParallel(chosen.size(0), 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t k = 0; k < width; ++k) to[i * width + k] = from[placeOf<Element>(output[i], k, padded)];
    });
  });
  return rows;
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("panels_of(Tensor[] weights) -> Tensor[]", panelsFrom);
  library.def("linears_of_panels(Tensor input, Tensor[] panels, int[] outputs, Tensor[] biases) -> Tensor[]", linearsOfPanels);
  library.def("rows_of_panels(Tensor panels, Tensor outputs, int width, ScalarType dtype) -> Tensor", rowsOfPanels);
}

}  // namespace
}  // namespace llava
