// The kernels in x86's vectors of 256 bits, for a source that defines what block_vectors_x86.h asks for.
#pragma once

#include "block_large_x86.h"
#include "block_small_x86.h"
#include "block_tiles_x86.h"

namespace llava {
namespace {

// Weights are read in the order in which they lie, which processors foresee best.
template <BlockType type, int inputs>
LLAVA_KERNEL void multiplyTogether(const uint8_t* weights, int64_t rows, int64_t blocks, const RoundedRow* input, float* out,
                                   int64_t outStride) {
  for (int64_t row = 0; row < rows; ++row, weights += blocks * layoutOf(type).bytes) {
    if constexpr (layoutOf(type).elements == 32)
      multiplySmall<type, inputs>(weights, blocks, input, out + row, outStride);
    else
      multiplyLarge<type, inputs>(weights, blocks, input, out + row, outStride);
  }
}

// Several rows of activations share each unpacking of weights, and stay in the nearest cache.
template <BlockType type>
LLAVA_TARGET void multiply(const uint8_t* weights, int64_t rows, int64_t blocks, const RoundedRow* inputs, int64_t count,
                           float* out, int64_t outStride) {
  if constexpr (hasTiles<type>)
    if (count >= kFewestForTiles) {
      const int64_t done = multiplyTiles<type>(weights, rows, blocks, inputs, count, out, outStride);
      weights += done * blocks * layoutOf(type).bytes;
      rows -= done;
      out += done;
    }
  int64_t i = 0;
  for (; i + 4 <= count; i += 4)
    multiplyTogether<type, 4>(weights, rows, blocks, inputs + i, out + i * outStride, outStride);
  for (; i + 2 <= count; i += 2)
    multiplyTogether<type, 2>(weights, rows, blocks, inputs + i, out + i * outStride, outStride);
  if (i < count) multiplyTogether<type, 1>(weights, rows, blocks, inputs + i, out + i * outStride, outStride);
}

template <BlockType type>
LLAVA_TARGET void decodeSmall(const uint8_t* blocks, int64_t count, float* out) {
  using Kind = Small<type>;
  const __m256i middle = _mm256_set1_epi8(Kind::middle);
  for (const uint8_t* block = blocks; count > 0; --count, block += layoutOf(type).bytes, out += 32) {
    alignas(32) int8_t numbers[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(numbers), _mm256_sub_epi8(Kind::numbers(block), middle));
    for (int i = 0; i < 32; i += 8) {
      const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(numbers + i));
      __m256 values = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight)), scaleAt(block));
      if constexpr (Kind::hasMinimum) values = _mm256_add_ps(values, scaleAt(block + 2));
      _mm256_storeu_ps(out + i, values);
    }
  }
}

template <BlockType type>
LLAVA_TARGET void decode(const uint8_t* blocks, int64_t count, float* out) {
  if constexpr (layoutOf(type).elements == 32)
    decodeSmall<type>(blocks, count, out);
  else
    decodeBlocks<type>(blocks, count, out);
}

LLAVA_TARGET void round(const float* row, int64_t width, int elements, const RoundedRow& out) {
  const __m256i absolute = _mm256_set1_epi32(0x7fffffff);
  for (int64_t block = 0; block < width / elements; ++block) {
    const float* values = row + block * elements;
    __m256i most = _mm256_setzero_si256();  // as whole numbers, what is not a number is above all that is
    for (int i = 0; i < elements; i += 8) most = _mm256_max_epi32(most, _mm256_and_si256(load(values + i), absolute));
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    const float largest = _mm_cvtss_f32(_mm_castsi128_ps(half));
    const __m256 inverse = _mm256_set1_ps(largest >= kSmallestBlock ? 127.0f / largest : 0.0f);
    out.steps[block] = largest / 127.0f;
    for (int i = 0; i < elements; i += 16) {
      const __m256i first = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values + i), inverse));
      const __m256i second = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values + i + 8), inverse));
      const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xd8);
      const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out.values + block * elements + i), bytes);
      const __m256i pairs = _mm256_madd_epi16(words, _mm256_set1_epi16(1));
      __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
      sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
      sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
      out.sums[(block * elements + i) / 16] = static_cast<int16_t>(_mm_cvtsi128_si32(sum));
    }
  }
}

constexpr BlockKernels kKernels = {
    round,
    {multiply<BlockType::kQ8_0>, multiply<BlockType::kQ4_0>, multiply<BlockType::kQ4_1>, multiply<BlockType::kQ5_0>,
     multiply<BlockType::kQ5_1>, multiply<BlockType::kQ4_K>, multiply<BlockType::kQ5_K>, multiply<BlockType::kQ6_K>},
    {decode<BlockType::kQ8_0>, decode<BlockType::kQ4_0>, decode<BlockType::kQ4_1>, decode<BlockType::kQ5_0>,
     decode<BlockType::kQ5_1>, decode<BlockType::kQ4_K>, decode<BlockType::kQ5_K>, decode<BlockType::kQ6_K>},
};

}  // namespace
}  // namespace llava
