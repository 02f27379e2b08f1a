#include "bfloat16_rows.h"

#include <ATen/ATen.h>
#include <ATen/Version.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "row_pieces.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LLAVA_TARGET __attribute__((target("avx2,fma")))
#define LLAVA_KERNEL LLAVA_TARGET inline __attribute__((always_inline))

namespace llava {
namespace {

constexpr int kGroup = 16;
// How far ahead weights are asked for, in bytes.
constexpr int64_t kAhead = 2048;

// Rows of activations in float32. In each group of 16 the even ones come first, as shifts take them out of the weights.
struct Activations {
  std::vector<float> values;
  int64_t width;

  explicit Activations(const at::Tensor& input) : values(input.numel()), width(input.size(1)) {
    const auto* source = input.const_data_ptr<at::BFloat16>();
    const int64_t whole = width / kGroup * kGroup;
    for (int64_t row = 0; row < input.size(0); ++row)
      for (int64_t k = 0; k < width; ++k) {
        const int64_t within = k % kGroup;
        const int64_t place = k < whole ? k - within + within / 2 + (within % 2) * kGroup / 2 : k;
        values[row * width + place] = source[row * width + k];
      }
  }
};

template <int count>
LLAVA_KERNEL void multiplyRow(const uint16_t* weights, int64_t width, const float* inputs, at::BFloat16* out,
                              int64_t outStride) {
  __m256 even[count], odd[count];
  for (int i = 0; i < count; ++i) even[i] = odd[i] = _mm256_setzero_ps();
  const __m256i top = _mm256_set1_epi32(static_cast<int>(0xffff0000));
  int64_t k = 0;
  for (; k + kGroup <= width; k += kGroup) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + k));
    _mm_prefetch(reinterpret_cast<const char*>(weights + k) + kAhead, _MM_HINT_T0);
    const __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    const __m256 second = _mm256_castsi256_ps(_mm256_and_si256(pairs, top));
#pragma GCC unroll 4
    for (int i = 0; i < count; ++i) {
      const float* input = inputs + i * width + k;
      even[i] = _mm256_fmadd_ps(first, _mm256_loadu_ps(input), even[i]);
      odd[i] = _mm256_fmadd_ps(second, _mm256_loadu_ps(input + 8), odd[i]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < count; ++i) {
    const __m256 lanes = _mm256_add_ps(even[i], odd[i]);
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    float sum = _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
    for (int64_t rest = k; rest < width; ++rest) {
      const uint32_t bits = static_cast<uint32_t>(weights[rest]) << 16;
      float weight;
      std::memcpy(&weight, &bits, 4);
      sum += weight * inputs[i * width + rest];
    }
    out[i * outStride] = sum;
  }
}

template <int count>
LLAVA_TARGET void multiplyRows(const uint16_t* weights, int64_t rows, int64_t width, const float* inputs,
                               at::BFloat16* out, int64_t outStride) {
  for (int64_t row = 0; row < rows; ++row) multiplyRow<count>(weights + row * width, width, inputs, out + row, outStride);
}

}  // namespace

bool hasBfloat16Rows() { return at::get_cpu_capability() != "DEFAULT"; }

at::Tensor multiplyBfloat16Rows(const at::Tensor& input, const at::Tensor& weight) {
  const Activations activations(input);
  const int64_t count = input.size(0), rows = weight.size(0), width = weight.size(1);
  at::Tensor output = at::empty({count, rows}, weight.options());
  const auto* weights = reinterpret_cast<const uint16_t*>(weight.const_data_ptr<at::BFloat16>());
  auto* out = output.mutable_data_ptr<at::BFloat16>();
  eachPiece(rows, width * 2, count * rows * width, [&](int64_t start, int64_t some) {
    const auto* piece = weights + start * width;
    const auto* inputs = activations.values.data();
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) multiplyRows<4>(piece, some, width, inputs + i * width, out + i * rows + start, rows);
    for (; i + 2 <= count; i += 2) multiplyRows<2>(piece, some, width, inputs + i * width, out + i * rows + start, rows);
    if (i < count) multiplyRows<1>(piece, some, width, inputs + i * width, out + i * rows + start, rows);
  });
  return output;
}

}  // namespace llava
#else
namespace llava {
bool hasBfloat16Rows() { return false; }
at::Tensor multiplyBfloat16Rows(const at::Tensor&, const at::Tensor&) {
  throw std::logic_error("there are no such instructions");
}
}  // namespace llava
#endif
