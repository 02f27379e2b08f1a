#include "huge_memory.h"

#include <ATen/ATen.h>
#include <sys/mman.h>
#include <torch/library.h>

#include <cstdint>

namespace llava {
namespace {

constexpr int64_t kHugePage = 2 << 20;

int64_t roundedUp(int64_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

}  // namespace

at::Tensor hugeEmpty(at::IntArrayRef sizes, at::ScalarType type) {
  int64_t bytes = c10::elementSize(type);
  for (int64_t size : sizes) bytes *= size;
#ifdef MADV_HUGEPAGE
  if (bytes >= kHugePage) {
    const int64_t length = roundedUp(bytes);
    // A page more than is needed: the beginning of a mapping is a multiple of a small page alone.
    void* mapped = mmap(nullptr, length + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TORCH_CHECK(mapped != MAP_FAILED, "there is no memory for ", bytes, " bytes");
    char* begin = static_cast<char*>(mapped);
    char* data = reinterpret_cast<char*>(roundedUp(reinterpret_cast<int64_t>(begin)));
    if (data > begin) munmap(begin, data - begin);
    munmap(data + length, begin + kHugePage - data);
    madvise(data, length, MADV_HUGEPAGE);
    return at::from_blob(data, sizes, [length](void* memory) { munmap(memory, length); }, at::TensorOptions().dtype(type));
  }
#endif
  return at::empty(sizes, at::TensorOptions().dtype(type));
}

namespace {

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("huge_empty(int[] size, ScalarType dtype) -> Tensor",
              [](at::IntArrayRef sizes, at::ScalarType type) { return hugeEmpty(sizes, type); });
}

}  // namespace
}  // namespace llava
