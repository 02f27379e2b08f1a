// Products with panels of bfloat16 by the instructions that processors have for pairs of it (see row_pairs.h).
#pragma once

#include <ATen/ATen.h>

namespace llava {

// out[r, c] = Σ inputs[r, k] · weights[c, k] + bias[c], rounded once, for rows of activations [count, width], panels [outputs/16
// rounded up, width/2, 16, 2] and an even width. An output's pairs are summed one after another. A row of `out` begins `outStride`
// after the one before.
void multiplyPanelsOfPairs(const at::BFloat16* inputs, int64_t count, const at::BFloat16* panels, int64_t outputs, int64_t width,
                           const float* bias, at::BFloat16* out, int64_t outStride);

}  // namespace llava
