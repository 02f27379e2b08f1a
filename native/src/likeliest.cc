// llava::likeliest is the place of each row's largest number, the first of equals: in 16 bits equals are frequent, and libtorch's
// argmax takes whichever its vectors come upon.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>

#include "elements.h"
#include "lanes.h"

namespace llava {
namespace {

template <typename Element>
LLAVA_LANES_TARGET int64_t likeliestOf(const Element* row, int64_t width) {
  Lanes most = splat(-INFINITY), zeros = splat(0);
  int64_t k = 0;
  for (; k + 8 <= width; k += 8) {
    const Lanes some = load(row + k);
    most = larger(some, most);
    zeros = fused(some, splat(0), zeros);  // no number from what is none, or infinite
  }
  float largest = largestOf(most), zero = sumOf(zeros);
  for (; k < width; ++k) {
    const float one = static_cast<float>(row[k]);
    largest = std::max(largest, one);
    zero += one * 0;
  }
  if (std::isnan(zero)) return -1;
  return std::find(row, row + width, static_cast<Element>(largest)) - row;
}

// Rows [N, V] → [N]; -1 for a row that holds what is no finite number.
at::Tensor likeliest(const at::Tensor& rows) {
  TORCH_CHECK(rows.dim() == 2 && rows.size(1) > 0, "expected [N, V], got ", rows.sizes());
  if (!rows.is_cpu() || !hasLanes() || !isElement(rows.scalar_type())) {
    const at::Tensor largest = rows.amax(-1, true), places = rows.eq(largest).to(at::kInt).argmax(-1);
    return places.masked_fill(rows.isfinite().all(-1).logical_not(), -1);
  }
  const at::Tensor held = rows.contiguous(), found = at::empty({rows.size(0)}, at::kLong);
  int64_t* to = found.mutable_data_ptr<int64_t>();
  const int64_t width = rows.size(1);
  withElement(rows.scalar_type(), [&]<typename Element>(Element) {
    for (int64_t row = 0; row < rows.size(0); ++row)
      to[row] = likeliestOf(held.const_data_ptr<Element>() + row * width, width);
  });
  return found;
}

TORCH_LIBRARY_FRAGMENT(llava, library) { library.def("likeliest(Tensor rows) -> Tensor", likeliest); }

}  // namespace
}  // namespace llava
