#include "panel_pairs.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "panels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LLAVA_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define LLAVA_KERNEL LLAVA_TARGET inline __attribute__((always_inline))

namespace llava {
namespace {

// Rows that pass over a panel at once while it comes from memory, and rows and panels whose sums are in registers at once for
// more: of 32 registers, 24 sums.
constexpr int kFewRows = 16, kRows = 12, kPanels = 2;

struct Piece {
  const at::BFloat16* inputs;
  const at::BFloat16* panels;
  int64_t outputs, width;
  const float* bias;
  at::BFloat16* out;
  int64_t outStride;
};

template <int rows, int panels>
LLAVA_TARGET void multiply(const Piece& piece, int64_t row, int64_t panel, bool comesFromMemory) {
  const int64_t width = piece.width, first = panel * kPanel;
  const at::BFloat16* inputs = piece.inputs + row * width;
  const at::BFloat16* weights = piece.panels + first * width;
  __m512 sums[rows][panels];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < panels; ++p) sums[r][p] = _mm512_setzero_ps();
  for (int64_t k = 0; k < width; k += 2) {
    __m512bh weight[panels];
#pragma GCC unroll 2
    for (int p = 0; p < panels; ++p) {
      const at::BFloat16* from = weights + (p * width + k) * kPanel;
      weight[p] = (__m512bh)_mm512_loadu_si512(from);
      if (comesFromMemory) _mm_prefetch(reinterpret_cast<const char*>(from) + kAhead, _MM_HINT_T0);
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      int pair;
      std::memcpy(&pair, inputs + r * width + k, sizeof pair);
      const __m512bh input = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 2
      for (int p = 0; p < panels; ++p) sums[r][p] = _mm512_dpbf16_ps(sums[r][p], input, weight[p]);
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < panels; ++p) {
    const int64_t column = first + p * kPanel, some = std::min(kPanel, piece.outputs - column);
    const __mmask16 mask = (1u << some) - 1;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      __m512 sum = sums[r][p];
      if (piece.bias) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, piece.bias + column));
      _mm256_mask_storeu_epi16(piece.out + (row + r) * piece.outStride + column, mask, (__m256i)_mm512_cvtneps_pbh(sum));
    }
  }
}

using Multiply = void (*)(const Piece&, int64_t row, int64_t panel, bool comesFromMemory);

template <int panels, int... less>
Multiply multiplyFor(int64_t rows, std::integer_sequence<int, less...>) {
  constexpr Multiply of[] = {multiply<less + 1, panels>...};
  return of[rows - 1];
}

}  // namespace

void multiplyPanelsOfPairs(const at::BFloat16* inputs, int64_t count, const at::BFloat16* panels, int64_t outputs, int64_t width,
                           const float* bias, at::BFloat16* out, int64_t outStride) {
  const Piece piece{inputs, panels, outputs, width, bias, out, outStride};
  const int64_t all = panelsOf(outputs);
  const auto single = [](int64_t rows) { return multiplyFor<1>(rows, std::make_integer_sequence<int, kFewRows>()); };
  if (count <= kFewRows) {
    for (int64_t panel = 0; panel < all; ++panel) single(count)(piece, 0, panel, true);
    return;
  }
  const int64_t rows = evenly(count, kRows);
  for (int64_t panel = 0; panel < all; panel += kPanels)
    for (int64_t row = 0; row < count; row += rows) {
      const int64_t some = std::min(rows, count - row);
      const Multiply of = panel + 1 < all ? multiplyFor<kPanels>(some, std::make_integer_sequence<int, kRows>()) : single(some);
      of(piece, row, panel, row == 0);
    }
}

}  // namespace llava
#else
namespace llava {
void multiplyPanelsOfPairs(const at::BFloat16*, int64_t, const at::BFloat16*, int64_t, int64_t, const float*, at::BFloat16*,
                           int64_t) {
  throw std::logic_error("there are no such instructions");
}
}  // namespace llava
#endif
