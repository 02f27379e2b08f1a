// What the kernels in x86's vectors of 256 bits stand on. A source includes them for its set of instructions and defines
//   LLAVA_TARGET                 the attribute that lets a function use them
//   dotBytes(unsigned, signed)   products of bytes, added up by fours
//   addPairs(sum, left, right)   products of 16-bit numbers, added up by twos and to the sum
//   dotFours(fours, values)      of 4 vectors with 8 times 4 numbers of at most 5 bits, and 16 values: the sums of products of
//                                each of the 8, of which every vector's meet the same 4 values
#pragma once

#include <immintrin.h>

#include "block_decode.h"

#define LLAVA_KERNEL LLAVA_TARGET inline __attribute__((always_inline))

namespace llava {
namespace {

// How far ahead weights are asked for.
constexpr int64_t kAhead = 2048;

LLAVA_KERNEL __m256i load(const void* bytes) { return _mm256_loadu_si256(static_cast<const __m256i*>(bytes)); }
LLAVA_KERNEL __m128i loadHalf(const void* bytes) { return _mm_loadu_si128(static_cast<const __m128i*>(bytes)); }

// The half-precision number at `bytes` in every lane.
LLAVA_KERNEL __m256 scaleAt(const uint8_t* bytes) {
  int16_t half;
  std::memcpy(&half, bytes, 2);
  return _mm256_cvtph_ps(_mm_set1_epi16(half));
}

LLAVA_KERNEL float sumOf(__m256 lanes) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

}  // namespace
}  // namespace llava
