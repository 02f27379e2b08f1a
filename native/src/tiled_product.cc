#include "tiled_product.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace llava {
namespace {

// Of a tile: few enough to stay in the caches, in rows that fill the product's own blocks.
constexpr int64_t kTileElements = int64_t{1} << 20, kFewestTileRows = 64;

// Calls use(tile, first row, rows) for tile after tile. A tile is valid during its call.
template <typename Use>
void eachTile(const TiledWeight& weight, const Use& use) {
  const int64_t whole = kTileElements / std::max<int64_t>(1, weight.width) / kFewestTileRows * kFewestTileRows;
  const int64_t size = std::min(weight.rows, std::max(kFewestTileRows, whole));
  const at::Tensor scratch = at::empty({size, weight.width}, weight.type);
  for (int64_t start = 0; start < weight.rows; start += size) {
    const int64_t count = std::min(size, weight.rows - start);
    const at::Tensor tile = scratch.narrow(0, 0, count);
    weight.fill(tile, start);
    use(tile, start, count);
  }
}

}  // namespace

at::Tensor asRows(const at::Tensor& tensor) { return tensor.reshape({-1, tensor.size(-1)}); }

at::Tensor tiledProduct(const at::Tensor& input, const TiledWeight& weight, const std::optional<at::Tensor>& bias,
                        at::ScalarType out) {
  const at::Tensor rows = input.to(weight.type);
  at::Tensor output = at::empty({rows.size(0), weight.rows}, rows.options().dtype(out));
  const at::Tensor offset = bias ? bias->to(weight.type) : at::Tensor();
  at::Tensor products;
  eachTile(weight, [&](const at::Tensor& tile, int64_t start, int64_t count) {
    if (!products.defined() || products.size(1) != count) products = at::empty({rows.size(0), count}, rows.options());
    if (bias)
      at::addmm_out(products, offset.narrow(0, start, count), rows, tile.t());
    else
      at::mm_out(products, rows, tile.t());
    output.narrow(1, start, count).copy_(products);
  });
  return output;
}

at::Tensor tiledInputGradient(const at::Tensor& gradient, const TiledWeight& weight) {
  const at::Tensor rows = gradient.to(weight.type);
  at::Tensor sum = at::zeros({rows.size(0), weight.width}, rows.options().dtype(at::kFloat));
  eachTile(weight, [&](const at::Tensor& tile, int64_t start, int64_t count) {
    const at::Tensor part = rows.narrow(1, start, count);
    if (weight.type != at::kFloat)
      sum.add_(at::mm(part, tile));
    else if (start == 0)
      at::mm_out(sum, part, tile);
    else
      sum.addmm_(part, tile);
  });
  return sum;
}

}  // namespace llava
