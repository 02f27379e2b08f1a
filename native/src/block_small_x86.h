// Products with blocks of 32.
#pragma once

#include "block_vectors_x86.h"

namespace llava {
namespace {

LLAVA_KERNEL __m256i dotSigned(__m256i left, __m256i right) {
  return dotBytes(_mm256_sign_epi8(left, left), _mm256_sign_epi8(right, left));
}

// 16 bytes → their 32 four-bit halves, all the low ones first.
LLAVA_KERNEL __m256i nibbles(const uint8_t* bytes) {
  const __m128i packed = loadHalf(bytes);
  const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(packed), _mm_srli_epi16(packed, 4), 1);
  return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

// 4 bytes of fifth bits → 32 bytes of 16 or 0.
LLAVA_KERNEL __m256i fifthBits(const uint8_t* bytes) {
  int32_t bits;
  std::memcpy(&bits, bytes, 4);
  const __m256i spread = _mm256_shuffle_epi8(
      _mm256_set1_epi32(bits),
      _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0x0000000000000000));
  const __m256i mask = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, mask), mask), _mm256_set1_epi8(16));
}

// A type of 32 elements: unpacked once for several rows of activations.
template <BlockType type>
struct Small {
  static constexpr bool hasMinimum = type == BlockType::kQ4_1 || type == BlockType::kQ5_1;
  static constexpr int middle = type == BlockType::kQ4_0 ? 8 : type == BlockType::kQ5_0 ? 16 : 0;

  LLAVA_KERNEL static __m256i numbers(const uint8_t* block) {
    if constexpr (type == BlockType::kQ8_0) return load(block + 2);
    if constexpr (type == BlockType::kQ4_0) return nibbles(block + 2);
    if constexpr (type == BlockType::kQ4_1) return nibbles(block + 4);
    if constexpr (type == BlockType::kQ5_0) return _mm256_or_si256(nibbles(block + 6), fifthBits(block + 2));
    if constexpr (type == BlockType::kQ5_1) return _mm256_or_si256(nibbles(block + 8), fifthBits(block + 4));
  }

  // `offset` is what the middle of the numbers takes off, the same for all weights.
  LLAVA_KERNEL static __m256i dot(__m256i numbers, __m256i values, __m256i offset) {
    if constexpr (type == BlockType::kQ8_0) return dotSigned(numbers, values);
    if constexpr (middle != 0) return _mm256_sub_epi32(dotBytes(numbers, values), offset);
    return dotBytes(numbers, values);
  }
};

template <BlockType type, int weightRows, int inputs>
LLAVA_KERNEL void multiplySmall(const uint8_t* weights, int64_t blocks, const RoundedRow* input, float* out,
                                int64_t outStride) {
  using Kind = Small<type>;
  constexpr int bytes = layoutOf(type).bytes;
  const int64_t stride = blocks * bytes;
  __m256 sums[weightRows][inputs];
  for (int r = 0; r < weightRows; ++r)
    for (int i = 0; i < inputs; ++i) sums[r][i] = _mm256_setzero_ps();
  for (int64_t b = 0; b < blocks; ++b) {
    __m256i values[inputs], offsets[inputs];
    __m256 steps[inputs], tops[inputs];
#pragma GCC unroll 4
    for (int i = 0; i < inputs; ++i) {
      values[i] = load(input[i].values + 32 * b);
      steps[i] = _mm256_broadcast_ss(input[i].steps + b);
      if constexpr (Kind::middle != 0) offsets[i] = dotBytes(_mm256_set1_epi8(Kind::middle), values[i]);
      if constexpr (Kind::hasMinimum)
        tops[i] = _mm256_cvtepi32_ps(dotBytes(_mm256_set1_epi8(1), values[i]));
    }
#pragma GCC unroll 4
    for (int r = 0; r < weightRows; ++r) {
      const uint8_t* block = weights + r * stride + b * bytes;
      _mm_prefetch(reinterpret_cast<const char*>(block + kAhead), _MM_HINT_T0);
      const __m256i numbers = Kind::numbers(block);
      const __m256 scale = scaleAt(block);
#pragma GCC unroll 4
      for (int i = 0; i < inputs; ++i) {
        const __m256 product = _mm256_cvtepi32_ps(Kind::dot(numbers, values[i], offsets[i]));
        sums[r][i] = _mm256_fmadd_ps(product, _mm256_mul_ps(scale, steps[i]), sums[r][i]);
        if constexpr (Kind::hasMinimum)
          sums[r][i] = _mm256_fmadd_ps(tops[i], _mm256_mul_ps(scaleAt(block + 2), steps[i]), sums[r][i]);
      }
    }
  }
  for (int r = 0; r < weightRows; ++r)
    for (int i = 0; i < inputs; ++i) out[i * outStride + r] = sumOf(sums[r][i]);
}

}  // namespace
}  // namespace llava
