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

// A type of 32 elements.
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

  LLAVA_KERNEL static __m256i dot(__m256i numbers, __m256i values) {
    if constexpr (type == BlockType::kQ8_0) return dotSigned(numbers, values);
    const __m256i products = dotBytes(numbers, values);
    if constexpr (middle == 0) return products;
    return _mm256_sub_epi32(products, dotBytes(_mm256_set1_epi8(middle), values));
  }
};

// Adds a block's products to `sums`, one for each row of activations.
template <BlockType type, int inputs>
LLAVA_KERNEL void addSmall(const uint8_t* block, const RoundedRow* input, int64_t b, __m256* sums) {
  using Kind = Small<type>;
  const __m256i numbers = Kind::numbers(block);
  const __m256 scale = scaleAt(block);
#pragma GCC unroll 4
  for (int i = 0; i < inputs; ++i) {
    const __m256i values = load(input[i].values + 32 * b);
    const __m256 step = _mm256_broadcast_ss(input[i].steps + b);
    const __m256 product = _mm256_cvtepi32_ps(Kind::dot(numbers, values));
    sums[i] = _mm256_fmadd_ps(product, _mm256_mul_ps(scale, step), sums[i]);
    if constexpr (Kind::hasMinimum) {
      const __m256 total = _mm256_cvtepi32_ps(dotBytes(_mm256_set1_epi8(1), values));
      sums[i] = _mm256_fmadd_ps(total, _mm256_mul_ps(scaleAt(block + 2), step), sums[i]);
    }
  }
}

template <BlockType type, int inputs>
LLAVA_KERNEL void multiplySmall(const uint8_t* weights, int64_t blocks, const RoundedRow* input, float* out,
                                int64_t outStride) {
  constexpr int bytes = layoutOf(type).bytes;
  __m256 even[inputs], odd[inputs];  // a sum waits for the one before it: two are under way at once
  for (int i = 0; i < inputs; ++i) even[i] = odd[i] = _mm256_setzero_ps();
  int64_t b = 0;
  for (; b + 2 <= blocks; b += 2) {
    const uint8_t* block = weights + b * bytes;
    _mm_prefetch(reinterpret_cast<const char*>(block + kAhead), _MM_HINT_T0);
    addSmall<type, inputs>(block, input, b, even);
    addSmall<type, inputs>(block + bytes, input, b + 1, odd);
  }
  if (b < blocks) addSmall<type, inputs>(weights + b * bytes, input, b, even);
#pragma GCC unroll 4
  for (int i = 0; i < inputs; ++i) out[i * outStride] = sumOf(_mm256_add_ps(even[i], odd[i]));
}

}  // namespace
}  // namespace llava
