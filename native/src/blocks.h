// Weights as they lie in GGUF files: rows of blocks, each of 32 or 256 whole numbers with their own scales. The layouts are
// ggml's (ggml-common.h); src/checkpoint/gguf tells which tensors of a file have them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace llava {

enum class BlockType { kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ4_K, kQ5_K, kQ6_K };
constexpr int kBlockTypes = 8;

struct BlockLayout {
  const char* name;
  int elements, bytes;
};
constexpr BlockLayout kBlockLayouts[kBlockTypes] = {
    {"Q8_0", 32, 34}, {"Q4_0", 32, 18},    {"Q4_1", 32, 20},    {"Q5_0", 32, 22},
    {"Q5_1", 32, 24}, {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210},
};
constexpr const BlockLayout& layoutOf(BlockType type) { return kBlockLayouts[static_cast<int>(type)]; }

// A row of activations in 8 bits, in steps of its own for every block: value = step · whole number. The step of a block that
// holds what is not finite is not finite.
struct RoundedRow {
  int8_t* values;  // [width], none below −127
  float* steps;    // [width / elements]
  int16_t* sums;   // [width / 16], of 16 values each
};
// A block whose largest value is below this is zero: the inverse of its step would not be finite.
constexpr float kSmallestBlock = 1e-30f;

// What one set of instructions does with blocks. All sets agree but for the order in which floating-point numbers are added
// up; a product's bits depend neither on the rows beside it nor on the number of threads.
struct BlockKernels {
  void (*round)(const float* row, int64_t width, int elements, const RoundedRow& out);
  // out[i · outStride + r] = the product of weight row r with row i of `inputs`.
  using Multiply = void (*)(const uint8_t* weights, int64_t rows, int64_t blocks, const RoundedRow* inputs, int64_t count,
                            float* out, int64_t outStride);
  Multiply multiply[kBlockTypes];
  // ggml's values: float32, one rounding an operation in the order of its reference code.
  using Decode = void (*)(const uint8_t* blocks, int64_t count, float* out);
  Decode decode[kBlockTypes];
};

extern const BlockKernels kPlainKernels;
#if defined(__x86_64__)
extern const BlockKernels kAvx2Kernels;
extern const BlockKernels kVnniKernels;  // AVX-512 with byte products, on vectors of 256 bits
#endif

// Those for this processor, within the limit that ATEN_CPU_CAPABILITY sets.
const BlockKernels& blockKernels();

// Whole blocks of float32, exactly as ggml's reference code rounds them. Q8_0, Q4_0, Q4_K and Q6_K; null for the others.
using Encode = void (*)(const float* values, int64_t count, uint8_t* blocks);
Encode encoderOf(BlockType type);

}  // namespace llava
