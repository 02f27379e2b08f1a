// A weight's rows dealt out to threads, for products that read the weight once.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "threads.h"

namespace llava {

// Bytes of weights that a thread takes at once, at most. They stay in its cache for all rows of activations, and a thread that
// others hold up holds up no more than these.
constexpr int64_t kPieceBytes = 256 << 10;
// Below this many products threads cost more than they save.
constexpr int64_t kFewestProducts = 1 << 16;

// Calls work(first row, rows) until all rows have had their turn, from as many threads as libtorch has. Each thread has as many
// pieces to take as the others, all of one length.
template <typename Work>
void eachPiece(int64_t rows, int64_t bytesPerRow, int64_t products, const Work& work) {
  if (rows <= 0) return;
  const int64_t threads = products < kFewestProducts ? 1 : std::min<int64_t>(at::get_num_threads(), rows);
  const int64_t turns = (rows * bytesPerRow + threads * kPieceBytes - 1) / (threads * kPieceBytes);
  const int64_t pieces = threads * std::max<int64_t>(1, turns), piece = (rows + pieces - 1) / pieces;
  std::atomic<int64_t> next{0};
  const auto takeTurns = [&](int64_t, int64_t) {
    for (int64_t start; (start = next.fetch_add(piece)) < rows;) work(start, std::min(piece, rows - start));
  };
  inParallel(threads, 1, takeTurns);
}

}  // namespace llava
