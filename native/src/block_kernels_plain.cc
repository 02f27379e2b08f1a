// The kernels for every processor, and what the others are tested against.
#include <algorithm>
#include <cmath>

#include "block_decode.h"

namespace llava {
namespace {

void round(const float* row, int64_t width, int elements, const RoundedRow& out) {
  for (int64_t block = 0; block < width / elements; ++block) {
    const float* values = row + block * elements;
    uint32_t largestBits = 0;  // as whole numbers, what is not a number is above all that is
    for (int i = 0; i < elements; ++i) {
      uint32_t bits;
      std::memcpy(&bits, values + i, 4);
      largestBits = std::max(largestBits, bits & 0x7fffffff);
    }
    float largest;
    std::memcpy(&largest, &largestBits, 4);
    const float inverse = largest >= kSmallestBlock ? 127.0f / largest : 0.0f;
    out.steps[block] = largest / 127.0f;
    for (int i = 0; i < elements; i += 16) {
      int sum = 0;
      for (int j = i; j < i + 16; ++j) {
        const int number = std::isfinite(values[j]) ? static_cast<int>(std::lrintf(values[j] * inverse)) : 0;
        out.values[block * elements + j] = static_cast<int8_t>(number);
        sum += number;
      }
      out.sums[(block * elements + i) / 16] = static_cast<int16_t>(sum);
    }
  }
}

int dot(const int8_t* left, const int8_t* right, int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += left[i] * right[i];
  return sum;
}

// A block's product with activations in whole numbers and their sums, without their step.
template <BlockType type>
float multiplyBlock(const uint8_t* block, const int8_t* values, const int16_t* sums) {
  int8_t numbers[layoutOf(type).elements];
  wholeNumbers<type>(block, numbers);
  if constexpr (type == BlockType::kQ8_0 || type == BlockType::kQ4_0 || type == BlockType::kQ5_0) {
    constexpr int middle = type == BlockType::kQ8_0 ? 0 : type == BlockType::kQ4_0 ? 8 : 16;
    return halfAt(block) * static_cast<float>(dot(numbers, values, 32) - middle * (sums[0] + sums[1]));
  } else if constexpr (type == BlockType::kQ4_1 || type == BlockType::kQ5_1) {
    return halfAt(block) * static_cast<float>(dot(numbers, values, 32)) +
           halfAt(block + 2) * static_cast<float>(sums[0] + sums[1]);
  } else if constexpr (type == BlockType::kQ4_K || type == BlockType::kQ5_K) {
    const GroupScales groups = groupScales(block + 4);
    int scaled = 0, offset = 0;
    for (int group = 0; group < 8; ++group) {
      scaled += static_cast<int>((groups.scales >> (8 * group)) & 63) * dot(numbers + 32 * group, values + 32 * group, 32);
      offset += static_cast<int>((groups.minima >> (8 * group)) & 63) * (sums[2 * group] + sums[2 * group + 1]);
    }
    return halfAt(block) * static_cast<float>(scaled) - halfAt(block + 2) * static_cast<float>(offset);
  } else {
    int scaled = 0;
    for (int group = 0; group < 16; ++group)
      scaled += static_cast<int8_t>(block[192 + group]) * dot(numbers + 16 * group, values + 16 * group, 16);
    return halfAt(block + 208) * static_cast<float>(scaled);
  }
}

template <BlockType type>
void multiply(const uint8_t* weights, int64_t rows, int64_t blocks, const RoundedRow* inputs, int64_t count, float* out,
              int64_t outStride) {
  constexpr BlockLayout layout = layoutOf(type);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < count; ++i) {
      float sum = 0;
      for (int64_t block = 0; block < blocks; ++block)
        sum += inputs[i].steps[block] * multiplyBlock<type>(weights + (row * blocks + block) * layout.bytes,
                                                            inputs[i].values + block * layout.elements,
                                                            inputs[i].sums + block * layout.elements / 16);
      out[i * outStride + row] = sum;
    }
}

template <BlockType type>
void decode(const uint8_t* blocks, int64_t count, float* out) {
  decodeBlocks<type>(blocks, count, out);
}

}  // namespace

const BlockKernels kPlainKernels = {
    round,
    {multiply<BlockType::kQ8_0>, multiply<BlockType::kQ4_0>, multiply<BlockType::kQ4_1>, multiply<BlockType::kQ5_0>,
     multiply<BlockType::kQ5_1>, multiply<BlockType::kQ4_K>, multiply<BlockType::kQ5_K>, multiply<BlockType::kQ6_K>},
    {decode<BlockType::kQ8_0>, decode<BlockType::kQ4_0>, decode<BlockType::kQ4_1>, decode<BlockType::kQ5_0>,
     decode<BlockType::kQ5_1>, decode<BlockType::kQ4_K>, decode<BlockType::kQ5_K>, decode<BlockType::kQ6_K>},
};

}  // namespace llava
