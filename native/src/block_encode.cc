// Floating point → blocks, as ggml's reference code does it (ggml-quants.c): the same searches and roundings.
#include <algorithm>
#include <cmath>

#include "block_decode.h"

namespace llava {
namespace {

void putHalf(uint8_t* bytes, float value) {
  const c10::Half half(value);
  std::memcpy(bytes, &half.x, 2);
}

// To the nearest whole number, halves to the even one.
int nearest(float value) { return static_cast<int>(std::nearbyint(value)); }

void encodeQ8_0(const float* values, int64_t count, uint8_t* blocks) {
  for (; count > 0; --count, values += 32, blocks += 34) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i]));
    const float scale = largest / 127.0f, inverse = scale != 0 ? 1.0f / scale : 0.0f;
    putHalf(blocks, scale);
    for (int i = 0; i < 32; ++i)  // halves away from zero
      blocks[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(values[i] * inverse)));
  }
}

void encodeQ4_0(const float* values, int64_t count, uint8_t* blocks) {
  for (; count > 0; --count, values += 32, blocks += 18) {
    float largest = 0;  // in size, with its sign: it becomes −8
    for (int i = 0; i < 32; ++i)
      if (std::fabs(values[i]) > std::fabs(largest)) largest = values[i];
    const float scale = largest / -8.0f, inverse = scale != 0 ? 1.0f / scale : 0.0f;
    putHalf(blocks, scale);
    const auto number = [&](int i) { return std::min(15, static_cast<int>(values[i] * inverse + 8.5f)); };
    for (int i = 0; i < 16; ++i) blocks[2 + i] = static_cast<uint8_t>(number(i) | number(16 + i) << 4);
  }
}

struct ScaleAndMinimum {
  float scale, minimum;  // a value is about scale · number − minimum; neither is below zero
};

constexpr int kGroup = 32, kLargest = 15, kTrials = 20;

// ggml's make_qkx2_quants: of scales around (max − min) / 15, each with the minimum that least squares give it, the one of
// the least weighted squared error. Each trial starts from the best minimum so far.
ScaleAndMinimum searchGroup(const float* values, const float* weights, uint8_t* numbers) {
  float low = values[0], high = values[0], weightSum = weights[0], valueSum = weights[0] * values[0];
  for (int i = 1; i < kGroup; ++i) {
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
    weightSum += weights[i];
    valueSum += weights[i] * values[i];
  }
  low = std::min(low, 0.0f);
  std::fill(numbers, numbers + kGroup, uint8_t{0});
  if (high == low) return {0, -low};
  uint8_t tried[kGroup];
  const auto round = [&](float inverse, float minimum, uint8_t* out) {
    for (int i = 0; i < kGroup; ++i)
      out[i] = static_cast<uint8_t>(std::clamp(nearest(inverse * (values[i] - minimum)), 0, kLargest));
  };
  const auto errorOf = [&](const uint8_t* of, float scale, float minimum) {
    float error = 0;
    for (int i = 0; i < kGroup; ++i) {
      const float difference = scale * of[i] + minimum - values[i];
      error += weights[i] * (difference * difference);
    }
    return error;
  };
  const float firstInverse = kLargest / (high - low);
  ScaleAndMinimum best{1 / firstInverse, low};
  round(firstInverse, low, numbers);
  float least = errorOf(numbers, best.scale, best.minimum);
  for (int trial = 0; trial <= kTrials; ++trial) {
    round((-1.0f + 0.1f * trial + kLargest) / (high - best.minimum), best.minimum, tried);
    float sum = 0, squares = 0, products = 0;
    for (int i = 0; i < kGroup; ++i) {
      const float number = tried[i];
      sum += weights[i] * number;
      squares += weights[i] * number * number;
      products += weights[i] * number * values[i];
    }
    const float determinant = weightSum * squares - sum * sum;
    if (!(determinant > 0)) continue;
    ScaleAndMinimum fit{(weightSum * products - valueSum * sum) / determinant,
                        (squares * valueSum - sum * products) / determinant};
    if (fit.minimum > 0) fit = {products / squares, 0};
    const float error = errorOf(tried, fit.scale, fit.minimum);
    if (error >= least) continue;
    std::copy(tried, tried + kGroup, numbers);
    least = error;
    best = fit;
  }
  return {best.scale, -best.minimum};
}

void encodeQ4_K(const float* values, int64_t count, uint8_t* blocks) {
  for (; count > 0; --count, values += 256, blocks += 144) {
    uint8_t numbers[256];
    ScaleAndMinimum found[8];
    float largestScale = 0, largestMinimum = 0;
    for (int group = 0; group < 8; ++group) {
      const float* own = values + kGroup * group;
      float squares = 0, weights[kGroup];
      for (int i = 0; i < kGroup; ++i) squares += own[i] * own[i];
      const float average = std::sqrt(squares / kGroup);
      for (int i = 0; i < kGroup; ++i) weights[i] = average + std::fabs(own[i]);
      found[group] = searchGroup(own, weights, numbers + kGroup * group);
      largestScale = std::max(largestScale, found[group].scale);
      largestMinimum = std::max(largestMinimum, found[group].minimum);
    }
    const float scaleInverse = largestScale > 0 ? 63.0f / largestScale : 0.0f;
    const float minimumInverse = largestMinimum > 0 ? 63.0f / largestMinimum : 0.0f;
    putHalf(blocks, largestScale / 63.0f);
    putHalf(blocks + 2, largestMinimum / 63.0f);
    const float scale = halfAt(blocks), minimum = halfAt(blocks + 2);
    uint8_t* packed = blocks + 4;  // as groupScales reads them
    for (int group = 0; group < 8; ++group) {
      const auto sixBits = [](float number) { return static_cast<uint8_t>(std::min(63, nearest(number))); };
      const uint8_t ownScale = sixBits(scaleInverse * found[group].scale);
      const uint8_t ownMinimum = sixBits(minimumInverse * found[group].minimum);
      if (group < 4) {
        packed[group] = ownScale;
        packed[group + 4] = ownMinimum;
      } else {
        packed[group + 4] = static_cast<uint8_t>((ownScale & 15) | (ownMinimum & 15) << 4);
        packed[group - 4] = static_cast<uint8_t>(packed[group - 4] | ownScale >> 4 << 6);
        packed[group] = static_cast<uint8_t>(packed[group] | ownMinimum >> 4 << 6);
      }
      const float step = scale * ownScale, offset = minimum * ownMinimum;
      if (step == 0) continue;
      for (int i = kGroup * group; i < kGroup * (group + 1); ++i)
        numbers[i] = static_cast<uint8_t>(std::clamp(nearest((values[i] + offset) / step), 0, kLargest));
    }
    for (int pair = 0; pair < 4; ++pair)
      for (int i = 0; i < 32; ++i)
        blocks[16 + 32 * pair + i] = static_cast<uint8_t>(numbers[64 * pair + i] | numbers[64 * pair + 32 + i] << 4);
  }
}

// Below this ggml takes a group for zero.
constexpr float kNothing = 1e-15f;

// ggml's make_qx_quants for 16 numbers of −32 to 31: of scales around the one that takes the largest value to −32, the one
// whose numbers, by least squares weighted by the values' squares, explain most. Numbers are stored 32 higher.
float searchScale(const float* values, uint8_t* numbers) {
  constexpr int count = 16, middle = 32;
  float largest = 0;
  for (int i = 0; i < count; ++i)
    if (std::fabs(values[i]) > std::fabs(largest)) largest = values[i];
  if (std::fabs(largest) < kNothing) {
    std::fill(numbers, numbers + count, uint8_t{0});
    return 0;
  }
  float scale = 0, most = 0;
  const auto attempt = [&](float inverse, bool isFirst) {
    uint8_t tried[count];
    float products = 0, squares = 0;
    for (int i = 0; i < count; ++i) {
      const int number = std::clamp(nearest(inverse * values[i]), -middle, middle - 1);
      const float weight = values[i] * values[i];
      tried[i] = static_cast<uint8_t>(number + middle);
      products += weight * values[i] * number;
      squares += weight * number * number;
    }
    if (!isFirst && !(squares > 0 && products * products > most * squares)) return;
    std::copy(tried, tried + count, numbers);
    scale = squares != 0 ? products / squares : 0;
    most = scale * products;
  };
  attempt(-middle / largest, true);
  for (int trial = -9; trial <= 9; ++trial)
    if (trial != 0) attempt(-(middle + 0.1f * trial) / largest, false);
  return scale;
}

void encodeQ6_K(const float* values, int64_t count, uint8_t* blocks) {
  for (; count > 0; --count, values += 256, blocks += 210) {
    uint8_t numbers[256];
    float scales[16], largest = 0;
    for (int group = 0; group < 16; ++group) {
      scales[group] = searchScale(values + 16 * group, numbers + 16 * group);
      if (std::fabs(scales[group]) > std::fabs(largest)) largest = scales[group];
    }
    std::fill(blocks, blocks + 210, uint8_t{0});
    if (std::fabs(largest) < kNothing) continue;
    const float inverse = -128.0f / largest;
    putHalf(blocks + 208, 1 / inverse);
    const float scale = halfAt(blocks + 208);
    for (int group = 0; group < 16; ++group) {
      const auto own = static_cast<int8_t>(std::min(127, nearest(inverse * scales[group])));
      blocks[192 + group] = static_cast<uint8_t>(own);
      const float step = scale * own;
      if (step == 0) continue;
      for (int i = 16 * group; i < 16 * (group + 1); ++i)
        numbers[i] = static_cast<uint8_t>(std::clamp(nearest(values[i] / step), -32, 31) + 32);
    }
    for (int part = 0; part < 2; ++part)  // as wholeNumbers reads them
      for (int i = 0; i < 32; ++i) {
        const uint8_t* own = numbers + 128 * part + i;
        blocks[64 * part + i] = static_cast<uint8_t>((own[0] & 15) | own[64] << 4);
        blocks[64 * part + 32 + i] = static_cast<uint8_t>((own[32] & 15) | own[96] << 4);
        blocks[128 + 32 * part + i] =
            static_cast<uint8_t>(own[0] >> 4 | own[32] >> 4 << 2 | own[64] >> 4 << 4 | own[96] >> 4 << 6);
      }
  }
}

}  // namespace

Encode encoderOf(BlockType type) {
  switch (type) {
    case BlockType::kQ8_0: return encodeQ8_0;
    case BlockType::kQ4_0: return encodeQ4_0;
    case BlockType::kQ4_K: return encodeQ4_K;
    case BlockType::kQ6_K: return encodeQ6_K;
    default: return nullptr;
  }
}

}  // namespace llava
