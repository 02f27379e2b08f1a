#include "threads.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>

#include <algorithm>
#include <vector>

namespace llava {

void inParallel(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& work) {
  if (count <= 0) return;
  const int64_t most = std::max<int64_t>(1, count / std::max<int64_t>(1, grain));
  const int64_t parts = at::in_parallel_region() ? 1 : std::min<int64_t>(at::get_num_threads(), most);
  if (parts < 2) {
    work(0, count);
    return;
  }
  // An element for each part: its place among them says which it is.
  constexpr int64_t kMost = 1024;
  static const std::vector<at::Tensor> elements = [] {
    std::vector<at::Tensor> all;
    for (int64_t count = 0; count <= kMost; ++count) all.push_back(at::empty({count}, at::kByte));
    return all;
  }();
  const int64_t used = std::min(parts, kMost);
  const auto* first = static_cast<const char*>(elements[used].const_data_ptr());
  auto loop = at::TensorIterator::borrowing_nullary_op(elements[used]);
  loop.for_each(
      [&](char** data, const int64_t*, int64_t size, int64_t) {
        const int64_t part = data[0] - first;
        work(count * part / used, count * (part + size) / used);
      },
      1);
}

}  // namespace llava
