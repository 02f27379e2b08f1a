// libtorch's activations, of which an element's bits depend on no other: its vectors and what is left over at their end, which
// moves with the number of elements and of threads, differ by the last bit. Here nothing is left over.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/library.h>

#include <algorithm>

#include "activations.h"
#include "recording.h"
#include "threads.h"

namespace llava {
namespace {

// Elements that any processor's vectors divide, and a multiple of them that libtorch leaves on one thread.
constexpr int64_t kWhole = 64, kTogether = 1 << 14;

// `activate(out, input)` on contiguous elements.
template <typename Activate>
at::Tensor inWholeVectors(const at::Tensor& input, const Activate& activate) {
  const int64_t count = input.numel();
  if (count <= kTogether && count % kWhole == 0) {
    const at::Tensor elements = input.contiguous();
    at::Tensor output = at::empty_like(elements);
    activate(output, elements);
    return output;
  }
  const int64_t padding = (kWhole - count % kWhole) % kWhole;
  at::Tensor elements = input.contiguous().flatten();
  if (padding > 0) elements = at::constant_pad_nd(elements, {0, padding});
  const at::Tensor output = at::empty_like(elements);
  inParallel((count + kTogether - 1) / kTogether, 2, [&](int64_t from, int64_t to) {
    const at::AutoDispatchBelowADInplaceOrView guard;  // other threads record by default
    for (int64_t block = from; block < to; ++block) {
      const int64_t start = block * kTogether, size = std::min(kTogether, elements.numel() - start);
      at::Tensor part = output.narrow(0, start, size);
      activate(part, elements.narrow(0, start, size));
    }
  });
  return output.narrow(0, 0, count).view(input.sizes());
}

bool isLeftToLibtorch(const at::Tensor& input) {
  return !input.is_cpu() || input.numel() == 0 || isRecorded(input);
}

}  // namespace

at::Tensor silu(const at::Tensor& self) {
  if (isLeftToLibtorch(self)) return at::silu(self);
  return inWholeVectors(self, [](at::Tensor& out, const at::Tensor& x) { at::silu_out(out, x); });
}

namespace {

at::Tensor sigmoid(const at::Tensor& self) {
  if (isLeftToLibtorch(self)) return at::sigmoid(self);
  return inWholeVectors(self, [](at::Tensor& out, const at::Tensor& x) { at::sigmoid_out(out, x); });
}

at::Tensor gelu(const at::Tensor& self, std::string_view approximate) {
  if (isLeftToLibtorch(self)) return at::gelu(self, approximate);
  return inWholeVectors(self, [&](at::Tensor& out, const at::Tensor& x) { at::gelu_out(out, x, approximate); });
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("silu(Tensor self) -> Tensor", silu);
  library.def("sigmoid(Tensor self) -> Tensor", sigmoid);
  library.def("gelu(Tensor self, str approximate='none') -> Tensor", gelu);
}

}  // namespace
}  // namespace llava
