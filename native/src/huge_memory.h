// Memory for what is read from end to end again and again.
#pragma once

#include <ATen/core/Tensor.h>

namespace llava {

// A tensor on the CPU whose memory lies in pages of 2 MiB, where the system has them to give: each takes the processor one look
// into its table of pages where it would take 512. It holds nothing yet, and a page takes memory when it is first written.
at::Tensor hugeEmpty(at::IntArrayRef sizes, at::ScalarType type);

}  // namespace llava
