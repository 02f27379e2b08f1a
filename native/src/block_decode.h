// Blocks as numbers, in plain C++ that compilers turn into vector code for whatever function it is inlined in.
#pragma once

#include <c10/util/Half.h>

#include <cstring>

#include "blocks.h"

#define LLAVA_INLINE inline __attribute__((always_inline))

namespace llava {

LLAVA_INLINE float halfAt(const uint8_t* bytes) {
  c10::Half half;
  std::memcpy(&half.x, bytes, 2);
  return half;
}

// The 6-bit scales and minima of a block's 8 groups of 32. Those of groups 0–3 fill the low bits of bytes 0–3 and 4–7; those
// of groups 4–7 have their low four bits in bytes 8–11 and their high two in the top bits of bytes 0–7.
struct GroupScales {
  uint64_t scales, minima;  // a byte each
};
LLAVA_INLINE GroupScales groupScales(const uint8_t* bytes) {
  uint32_t first, second, third;
  std::memcpy(&first, bytes, 4);
  std::memcpy(&second, bytes + 4, 4);
  std::memcpy(&third, bytes + 8, 4);
  const uint32_t scales = (third & 0x0f0f0f0f) | ((first >> 2) & 0x30303030);
  const uint32_t minima = ((third >> 4) & 0x0f0f0f0f) | ((second >> 2) & 0x30303030);
  return {(first & 0x3f3f3f3f) | static_cast<uint64_t>(scales) << 32,
          (second & 0x3f3f3f3f) | static_cast<uint64_t>(minima) << 32};
}

// A block's whole numbers, in the order of the elements they stand for.
template <BlockType type>
LLAVA_INLINE void wholeNumbers(const uint8_t* __restrict block, int8_t* __restrict out) {
  if constexpr (type == BlockType::kQ8_0) {
    std::memcpy(out, block + 2, 32);
  } else if constexpr (type == BlockType::kQ4_0 || type == BlockType::kQ4_1) {
    const uint8_t* nibbles = block + (type == BlockType::kQ4_0 ? 2 : 4);
    for (int i = 0; i < 16; ++i) out[i] = static_cast<int8_t>(nibbles[i] & 15);
    for (int i = 0; i < 16; ++i) out[16 + i] = static_cast<int8_t>(nibbles[i] >> 4);
  } else if constexpr (type == BlockType::kQ5_0 || type == BlockType::kQ5_1) {
    const uint8_t* bits = block + (type == BlockType::kQ5_0 ? 2 : 4);
    uint32_t fifths;
    std::memcpy(&fifths, bits, 4);
    const uint8_t* nibbles = bits + 4;
    for (int i = 0; i < 16; ++i) out[i] = static_cast<int8_t>((nibbles[i] & 15) | ((fifths >> i) & 1) << 4);
    for (int i = 0; i < 16; ++i) out[16 + i] = static_cast<int8_t>(nibbles[i] >> 4 | ((fifths >> (16 + i)) & 1) << 4);
  } else if constexpr (type == BlockType::kQ4_K || type == BlockType::kQ5_K) {
    const uint8_t *fifths = block + 16, *nibbles = block + (type == BlockType::kQ4_K ? 16 : 48);
    for (int pair = 0; pair < 4; ++pair) {
      for (int i = 0; i < 32; ++i) {
        out[64 * pair + i] = static_cast<int8_t>(nibbles[32 * pair + i] & 15);
        out[64 * pair + 32 + i] = static_cast<int8_t>(nibbles[32 * pair + i] >> 4);
      }
    }
    if constexpr (type == BlockType::kQ5_K)
      for (int group = 0; group < 8; ++group)
        for (int i = 0; i < 32; ++i)
          out[32 * group + i] = static_cast<int8_t>(out[32 * group + i] | ((fifths[i] >> group) & 1) << 4);
  } else {
    for (int part = 0; part < 2; ++part) {
      const uint8_t *low = block + 64 * part, *high = block + 128 + 32 * part;
      int8_t* half = out + 128 * part;
      for (int i = 0; i < 32; ++i) {
        half[i] = static_cast<int8_t>(((low[i] & 15) | (high[i] & 3) << 4) - 32);
        half[32 + i] = static_cast<int8_t>(((low[32 + i] & 15) | ((high[i] >> 2) & 3) << 4) - 32);
        half[64 + i] = static_cast<int8_t>((low[i] >> 4 | ((high[i] >> 4) & 3) << 4) - 32);
        half[96 + i] = static_cast<int8_t>((low[32 + i] >> 4 | (high[i] >> 6) << 4) - 32);
      }
    }
  }
}

template <BlockType type>
LLAVA_INLINE void decodeBlock(const uint8_t* __restrict block, float* __restrict out) {
  int8_t numbers[layoutOf(type).elements];
  wholeNumbers<type>(block, numbers);
  if constexpr (type == BlockType::kQ8_0 || type == BlockType::kQ4_0 || type == BlockType::kQ5_0) {
    constexpr int middle = type == BlockType::kQ8_0 ? 0 : type == BlockType::kQ4_0 ? 8 : 16;
    const float scale = halfAt(block);
    for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(numbers[i] - middle) * scale;
  } else if constexpr (type == BlockType::kQ4_1 || type == BlockType::kQ5_1) {
    const float scale = halfAt(block), minimum = halfAt(block + 2);
    for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(numbers[i]) * scale + minimum;
  } else if constexpr (type == BlockType::kQ4_K || type == BlockType::kQ5_K) {
    const float scale = halfAt(block), minimum = halfAt(block + 2);
    const GroupScales groups = groupScales(block + 4);
    for (int group = 0; group < 8; ++group) {
      const float factor = scale * static_cast<float>((groups.scales >> (8 * group)) & 63);
      const float offset = minimum * static_cast<float>((groups.minima >> (8 * group)) & 63);
      for (int i = 0; i < 32; ++i)
        out[32 * group + i] = static_cast<float>(numbers[32 * group + i]) * factor - offset;
    }
  } else {
    const float scale = halfAt(block + 208);
    for (int group = 0; group < 16; ++group) {
      const float factor = scale * static_cast<float>(static_cast<int8_t>(block[192 + group]));
      for (int i = 0; i < 16; ++i) out[16 * group + i] = static_cast<float>(numbers[16 * group + i]) * factor;
    }
  }
}

template <BlockType type>
LLAVA_INLINE void decodeBlocks(const uint8_t* blocks, int64_t count, float* out) {
  constexpr BlockLayout layout = layoutOf(type);
  for (int64_t i = 0; i < count; ++i) decodeBlock<type>(blocks + i * layout.bytes, out + i * layout.elements);
}

}  // namespace llava
