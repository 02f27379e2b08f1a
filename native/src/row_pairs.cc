#include "row_pairs.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "processor.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LLAVA_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define LLAVA_KERNEL LLAVA_TARGET inline __attribute__((always_inline))

namespace llava {
namespace {

constexpr int64_t kStep = 32;
// Rows of activations and of weights whose sums are in registers at once: of 32 registers, 24 sums.
constexpr int kRows = 6, kColumns = 4;
// So many rows of activations wait for memory, not for products, where they stay in the nearest cache while weights pass through
// it: once, one row after another as memory gives them. Tiles of rows take one pass for few rows, and two for more.
constexpr int kFewRows = 16;
constexpr int64_t nearBytes(int64_t rows) { return rows <= kRows ? 14 << 10 : 20 << 10; }
// How far ahead weights are asked for then, in bytes.
constexpr int64_t kAhead = 3072;

struct Piece {
  const at::BFloat16* inputs;
  int64_t count;
  const at::BFloat16* weights;
  int64_t outputs, width;
  const float* bias;
  at::BFloat16* out;
  int64_t outStride;
};

LLAVA_KERNEL __m512bh pairs(const at::BFloat16* from) { return (__m512bh)_mm512_loadu_si512(from); }
LLAVA_KERNEL __m512bh pairs(const at::BFloat16* from, __mmask32 mask) { return (__m512bh)_mm512_maskz_loadu_epi16(mask, from); }

// The sums of four vectors' lanes, each in one order.
LLAVA_KERNEL __m128 sumsOf(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const __m512 all = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  const __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

// Four numbers as bfloat16, in the lower half.
LLAVA_KERNEL __m128i rounded(__m128 numbers) { return (__m128i)_mm_cvtneps_pbh(numbers); }

template <int rows, int columns>
LLAVA_KERNEL void multiplyTile(const Piece& piece, int64_t row, int64_t column, int64_t ahead) {
  const int64_t width = piece.width;
  const at::BFloat16* inputs = piece.inputs + row * width;
  const at::BFloat16* weights = piece.weights + column * width;
  __m512 sums[rows][columns];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c) sums[r][c] = _mm512_setzero_ps();
  int64_t k = 0;
  for (; k + kStep <= width; k += kStep) {
    __m512bh weight[columns];
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c) {
      weight[c] = pairs(weights + c * width + k);
      if (ahead > 0) _mm_prefetch(reinterpret_cast<const char*>(weights + c * width + k) + ahead, _MM_HINT_T0);
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const __m512bh input = pairs(inputs + r * width + k);
#pragma GCC unroll 4
      for (int c = 0; c < columns; ++c) sums[r][c] = _mm512_dpbf16_ps(sums[r][c], input, weight[c]);
    }
  }
  if (k < width) {
    const __mmask32 mask = (1u << (width - k)) - 1;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int c = 0; c < columns; ++c)
        sums[r][c] = _mm512_dpbf16_ps(sums[r][c], pairs(inputs + r * width + k, mask), pairs(weights + c * width + k, mask));
  }
  at::BFloat16* out = piece.out + row * piece.outStride + column;
  const auto sumAt = [&](int r, int c) LLAVA_TARGET { return r < rows && c < columns ? sums[r][c] : _mm512_setzero_ps(); };
  if constexpr (columns == 1) {
    const __m128 offset = _mm_set1_ps(piece.bias ? piece.bias[column] : 0.0f);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r += 4) {
      const __m128 found = sumsOf(sumAt(r, 0), sumAt(r + 1, 0), sumAt(r + 2, 0), sumAt(r + 3, 0));
      uint16_t numbers[8];
      _mm_storeu_si128(reinterpret_cast<__m128i*>(numbers), rounded(piece.bias ? _mm_add_ps(found, offset) : found));
      for (int i = 0; i < 4 && r + i < rows; ++i) std::memcpy(out + (r + i) * piece.outStride, numbers + i, 2);
    }
  } else {
    constexpr __mmask8 mask = (1 << columns) - 1;
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      __m128 found = sumsOf(sumAt(r, 0), sumAt(r, 1), sumAt(r, 2), sumAt(r, 3));
      if (piece.bias) found = _mm_add_ps(found, _mm_maskz_loadu_ps(mask, piece.bias + column));
      _mm_mask_storeu_epi16(out + r * piece.outStride, mask, rounded(found));
    }
  }
}

using Multiply = void (*)(const Piece&, int64_t row, int64_t column, int64_t ahead);

template <int rows, int columns>
LLAVA_TARGET void multiply(const Piece& piece, int64_t row, int64_t column, int64_t ahead) {
  multiplyTile<rows, columns>(piece, row, column, ahead);
}

template <int columns, int... less>
Multiply multiplyFor(int64_t rows, std::integer_sequence<int, less...>) {
  constexpr Multiply of[] = {multiply<less + 1, columns>...};
  return of[rows - 1];
}

Multiply multiplyFor(int64_t rows, int64_t columns) {
  constexpr auto most = std::make_integer_sequence<int, kRows>();
  switch (columns) {
    case 1: return multiplyFor<1>(rows, std::make_integer_sequence<int, kFewRows>());
    case 2: return multiplyFor<2>(rows, most);
    case 3: return multiplyFor<3>(rows, most);
    default: return multiplyFor<4>(rows, most);
  }
}

}  // namespace

bool hasPairs() { return multipliesBfloat16(); }

void multiplyPairs(const at::BFloat16* inputs, int64_t count, const at::BFloat16* weights, int64_t outputs, int64_t width,
                   const float* bias, at::BFloat16* out, int64_t outStride) {
  const Piece piece{inputs, count, weights, outputs, width, bias, out, outStride};
  if (count <= kFewRows && count * width * 2 <= nearBytes(count)) {
    const Multiply multiply = multiplyFor(count, 1);
    for (int64_t column = 0; column < outputs; ++column) multiply(piece, 0, column, kAhead);
    return;
  }
  for (int64_t column = 0; column < outputs; column += kColumns) {
    const int64_t columns = std::min<int64_t>(kColumns, outputs - column);
    for (int64_t row = 0; row < count; row += kRows)
      multiplyFor(std::min<int64_t>(kRows, count - row), columns)(piece, row, column, row == 0 ? columns * width * 2 : 0);
  }
}

}  // namespace llava
#else
namespace llava {
bool hasPairs() { return false; }
void multiplyPairs(const at::BFloat16*, int64_t, const at::BFloat16*, int64_t, int64_t, const float*, at::BFloat16*, int64_t) {
  throw std::logic_error("there are no such instructions");
}
}  // namespace llava
#endif
