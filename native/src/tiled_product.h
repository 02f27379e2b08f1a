// Products with a weight that is there in floating point only a few rows at a time, so that no copy of the whole is made.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

namespace llava {

struct TiledWeight {
  int64_t rows, width;
  at::ScalarType type;  // that tiles are in, and what is multiplied by them
  std::function<void(const at::Tensor& tile, int64_t start)> fill;  // rows start, start + 1, … into tile [count, width]
};

// x [n, width] → x·Wᵀ + bias [n, rows], in `out`'s type.
at::Tensor tiledProduct(const at::Tensor& input, const TiledWeight& weight, const std::optional<at::Tensor>& bias,
                        at::ScalarType out);

// gradient [n, rows] → gradient·W [n, width], in float32.
at::Tensor tiledInputGradient(const at::Tensor& gradient, const TiledWeight& weight);

// All but the last dimension as one.
at::Tensor asRows(const at::Tensor& tensor);

}  // namespace llava
