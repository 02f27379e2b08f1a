// Products of many rows of activations with blocks of 4 and 5 bits: 8 rows of weights are unpacked side by side, so that a
// vector holds four numbers of each and sums of theirs stay apart until scales are due, once for 32 numbers.
#pragma once

#include <vector>

#include "block_vectors_x86.h"

namespace llava {
namespace {

// Below this many rows of activations unpacking costs more than it saves.
constexpr int64_t kFewestForTiles = 32;
constexpr int kTileRows = 8;

template <BlockType type>
constexpr bool hasTiles = type != BlockType::kQ8_0 && type != BlockType::kQ6_K;

// Eight rows in groups of 32: value = scale · number − offset.
struct Tile {
  std::vector<uint8_t> numbers;        // [groups, 8 fours, 8 rows, 4]
  std::vector<float> scales, offsets;  // [groups, 8 rows]

  void resize(int64_t groups) {
    numbers.resize(groups * 32 * kTileRows);
    scales.resize(groups * kTileRows);
    offsets.resize(groups * kTileRows);
  }
};

template <BlockType type>
LLAVA_TARGET void unpack(const uint8_t* weights, int64_t blocks, Tile& tile) {
  constexpr int elements = layoutOf(type).elements, groups = elements / 32;
  tile.resize(blocks * groups);
  for (int row = 0; row < kTileRows; ++row)
    for (int64_t b = 0; b < blocks; ++b, weights += layoutOf(type).bytes) {
      alignas(32) int8_t numbers[elements];
      wholeNumbers<type>(weights, numbers);
      for (int group = 0; group < groups; ++group) {
        const int64_t place = (b * groups + group) * kTileRows + row;
        float &scale = tile.scales[place], &offset = tile.offsets[place];
        if constexpr (elements == 256) {
          const GroupScales parts = groupScales(weights + 4);
          scale = halfAt(weights) * static_cast<float>((parts.scales >> (8 * group)) & 63);
          offset = halfAt(weights + 2) * static_cast<float>((parts.minima >> (8 * group)) & 63);
        } else {
          scale = halfAt(weights);
          constexpr bool hasMinimum = type == BlockType::kQ4_1 || type == BlockType::kQ5_1;
          offset = hasMinimum ? -halfAt(weights + 2) : (type == BlockType::kQ4_0 ? 8 : 16) * scale;
        }
        uint8_t* fours = tile.numbers.data() + (place - row) * 32 + row * 4;
        for (int i = 0; i < 8; ++i) std::memcpy(fours + 32 * i, numbers + 32 * group + 4 * i, 4);
      }
    }
}

template <BlockType type, int inputs>
LLAVA_KERNEL void multiplyTile(const Tile& tile, int64_t groups, const RoundedRow* input, float* out, int64_t outStride) {
  constexpr int perBlock = layoutOf(type).elements / 32;
  __m256 sums[inputs];
  for (int i = 0; i < inputs; ++i) sums[i] = _mm256_setzero_ps();
  for (int64_t g = 0; g < groups; ++g) {
    __m256i products[inputs];
    for (int i = 0; i < inputs; ++i) products[i] = _mm256_setzero_si256();
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8_t* numbers = tile.numbers.data() + 256 * g + 128 * half;
      const __m256i fours[4] = {load(numbers), load(numbers + 32), load(numbers + 64), load(numbers + 96)};
#pragma GCC unroll 4
      for (int i = 0; i < inputs; ++i)
        products[i] = _mm256_add_epi32(products[i], dotFours(fours, input[i].values + 32 * g + 16 * half));
    }
    const __m256 scale = _mm256_loadu_ps(tile.scales.data() + kTileRows * g);
    const __m256 offset = _mm256_loadu_ps(tile.offsets.data() + kTileRows * g);
#pragma GCC unroll 4
    for (int i = 0; i < inputs; ++i) {
      const int16_t* halves = input[i].sums + 2 * g;
      const __m256 total = _mm256_set1_ps(static_cast<float>(halves[0] + halves[1]));
      const __m256 product =
          _mm256_fnmadd_ps(offset, total, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(products[i])));
      sums[i] = _mm256_fmadd_ps(product, _mm256_broadcast_ss(input[i].steps + g / perBlock), sums[i]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < inputs; ++i) _mm256_storeu_ps(out + i * outStride, sums[i]);
}

// Of as many rows of weights as make whole tiles; returns how many they are.
template <BlockType type>
LLAVA_TARGET int64_t multiplyTiles(const uint8_t* weights, int64_t rows, int64_t blocks, const RoundedRow* inputs,
                                   int64_t count, float* out, int64_t outStride) {
  static thread_local Tile tile;
  const int64_t groups = blocks * layoutOf(type).elements / 32;
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows) {
    unpack<type>(weights + row * blocks * layoutOf(type).bytes, blocks, tile);
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) multiplyTile<type, 4>(tile, groups, inputs + i, out + i * outStride + row, outStride);
    for (; i < count; ++i) multiplyTile<type, 1>(tile, groups, inputs + i, out + i * outStride + row, outStride);
  }
  return row;
}

}  // namespace
}  // namespace llava
