// Products of bfloat16 by the instructions that processors have for pairs of it.
#pragma once

#include <ATen/ATen.h>

namespace llava {

// Whether the processor has the instructions, and the environment lets them be used.
bool hasPairs();

// out[r, c] = Σ inputs[r, k] · weights[c, k] + bias[c] for rows of activations [count, width] and of weights [outputs, width],
// rounded once: sixteen lanes over the width, each of pairs, then the lanes. A row of `out` begins `outStride` after the one before.
void multiplyPairs(const at::BFloat16* inputs, int64_t count, const at::BFloat16* weights, int64_t outputs, int64_t width,
                   const float* bias, at::BFloat16* out, int64_t outStride);

}  // namespace llava
