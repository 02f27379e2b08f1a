// Products with blocks of 256, whose groups have scales in whole numbers: one floating-point operation a block.
#pragma once

#include "block_vectors_x86.h"

namespace llava {
namespace {

// 8 numbers of 16 bits in both halves → the one at `index` everywhere, or those at index and index + 1, one a half.
LLAVA_KERNEL __m256i spread(__m256i numbers, int index) {
  return _mm256_shuffle_epi8(numbers, _mm256_set1_epi16(static_cast<int16_t>((2 * index) | (2 * index + 1) << 8)));
}
LLAVA_KERNEL __m256i spreadTwo(__m256i numbers, int index) {
  const __m128i first = _mm_set1_epi16(static_cast<int16_t>((2 * index) | (2 * index + 1) << 8));
  const __m128i second = _mm_set1_epi16(static_cast<int16_t>((2 * index + 2) | (2 * index + 3) << 8));
  return _mm256_shuffle_epi8(numbers, _mm256_set_m128i(second, first));
}

// A row's sums so far: of products, and of what the minima take off.
struct LargeSums {
  __m256 products;
  __m128 minima;
};

// Q4_K and Q5_K: 8 groups of 32, each with a scale and a minimum of 6 bits.
template <BlockType type, int inputs>
LLAVA_KERNEL void multiplyGroups(const uint8_t* block, const RoundedRow* input, int64_t b, LargeSums* sums) {
  const GroupScales groups = groupScales(block + 4);
  const __m256i both = _mm256_cvtepu8_epi16(
      _mm_set_epi64x(static_cast<int64_t>(groups.minima), static_cast<int64_t>(groups.scales)));
  const __m256i scales = _mm256_permute2x128_si256(both, both, 0x00);
  const __m128i minima = _mm256_extracti128_si256(both, 1);
  const __m256i low = _mm256_set1_epi8(15);
  __m256i products[inputs];
  for (int i = 0; i < inputs; ++i) products[i] = _mm256_setzero_si256();
  __m256i fifths = type == BlockType::kQ5_K ? load(block + 16) : _mm256_setzero_si256();
  const uint8_t* packed = block + (type == BlockType::kQ4_K ? 16 : 48);
#pragma GCC unroll 4
  for (int pair = 0; pair < 4; ++pair) {
    const __m256i bytes = load(packed + 32 * pair);
    __m256i first = _mm256_and_si256(bytes, low), second = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low);
    if constexpr (type == BlockType::kQ5_K) {
      const __m256i one = _mm256_set1_epi8(1);
      first = _mm256_or_si256(first, _mm256_slli_epi16(_mm256_and_si256(fifths, one), 4));
      second = _mm256_or_si256(second, _mm256_slli_epi16(_mm256_and_si256(_mm256_srli_epi16(fifths, 1), one), 4));
      fifths = _mm256_srli_epi16(fifths, 2);
    }
    const __m256i firstScale = spread(scales, 2 * pair), secondScale = spread(scales, 2 * pair + 1);
#pragma GCC unroll 4
    for (int i = 0; i < inputs; ++i) {
      const int8_t* values = input[i].values + 256 * b + 64 * pair;
      products[i] = addPairs(products[i], _mm256_maddubs_epi16(first, load(values)), firstScale);
      products[i] = addPairs(products[i], _mm256_maddubs_epi16(second, load(values + 32)), secondScale);
    }
  }
  const __m256 scale = scaleAt(block);
  const __m128 minimum = _mm256_castps256_ps128(scaleAt(block + 2));
#pragma GCC unroll 4
  for (int i = 0; i < inputs; ++i) {
    const __m256 step = _mm256_broadcast_ss(input[i].steps + b);
    const int16_t* halves = input[i].sums + 16 * b;
    const __m128i totals = _mm_hadd_epi16(loadHalf(halves), loadHalf(halves + 8));  // of the groups' values
    const __m128 offset = _mm_cvtepi32_ps(_mm_madd_epi16(minima, totals));
    sums[i].products = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[i]), _mm256_mul_ps(scale, step), sums[i].products);
    sums[i].minima = _mm_fmadd_ps(offset, _mm_mul_ps(minimum, _mm256_castps256_ps128(step)), sums[i].minima);
  }
}

// Q6_K: 16 groups of 16, each with a scale of 8 bits.
template <int inputs>
LLAVA_KERNEL void multiplySixBits(const uint8_t* block, const RoundedRow* input, int64_t b, LargeSums* sums) {
  const __m256i low = _mm256_set1_epi8(15), top = _mm256_set1_epi8(0x30);
  const __m256i scales = _mm256_cvtepi8_epi16(loadHalf(block + 192));
  __m256i products[inputs];
  for (int i = 0; i < inputs; ++i)  // the middle of the numbers takes off 32 · scale · the sum of a group's values
    products[i] = _mm256_sub_epi32(
        _mm256_setzero_si256(), _mm256_slli_epi32(_mm256_madd_epi16(scales, load(input[i].sums + 16 * b)), 5));
#pragma GCC unroll 2
  for (int part = 0; part < 2; ++part) {
    const __m256i own = part == 0 ? _mm256_permute2x128_si256(scales, scales, 0x00)
                                  : _mm256_permute2x128_si256(scales, scales, 0x11);
    const __m256i lowA = load(block + 64 * part), lowB = load(block + 64 * part + 32);
    const __m256i high = load(block + 128 + 32 * part);
    const __m256i numbers[4] = {
        _mm256_or_si256(_mm256_and_si256(lowA, low), _mm256_and_si256(_mm256_slli_epi16(high, 4), top)),
        _mm256_or_si256(_mm256_and_si256(lowB, low), _mm256_and_si256(_mm256_slli_epi16(high, 2), top)),
        _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(lowA, 4), low), _mm256_and_si256(high, top)),
        _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(lowB, 4), low),
                        _mm256_and_si256(_mm256_srli_epi16(high, 2), top)),
    };
#pragma GCC unroll 4
    for (int quarter = 0; quarter < 4; ++quarter) {
      const __m256i scale = spreadTwo(own, 2 * quarter);
#pragma GCC unroll 4
      for (int i = 0; i < inputs; ++i) {
        const int8_t* values = input[i].values + 256 * b + 128 * part + 32 * quarter;
        products[i] = addPairs(products[i], _mm256_maddubs_epi16(numbers[quarter], load(values)), scale);
      }
    }
  }
  const __m256 scale = scaleAt(block + 208);
#pragma GCC unroll 4
  for (int i = 0; i < inputs; ++i)
    sums[i].products =
        _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[i]),
                        _mm256_mul_ps(scale, _mm256_broadcast_ss(input[i].steps + b)), sums[i].products);
}

template <BlockType type, int inputs>
LLAVA_KERNEL void multiplyLarge(const uint8_t* weights, int64_t blocks, const RoundedRow* input, float* out,
                                int64_t outStride) {
  constexpr int bytes = layoutOf(type).bytes;
  LargeSums sums[inputs];
  for (int i = 0; i < inputs; ++i) sums[i] = {_mm256_setzero_ps(), _mm_setzero_ps()};
  for (int64_t b = 0; b < blocks; ++b) {
    const uint8_t* block = weights + b * bytes;
    for (int line = 0; line < bytes; line += 64)
      _mm_prefetch(reinterpret_cast<const char*>(block + kAhead + line), _MM_HINT_T0);
    if constexpr (type == BlockType::kQ6_K)
      multiplySixBits<inputs>(block, input, b, sums);
    else
      multiplyGroups<type, inputs>(block, input, b, sums);
  }
#pragma GCC unroll 4
  for (int i = 0; i < inputs; ++i)
    out[i * outStride] = sumOf(_mm256_sub_ps(sums[i].products, _mm256_zextps128_ps256(sums[i].minima)));
}

}  // namespace
}  // namespace llava
