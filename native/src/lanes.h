// Eight float32 numbers side by side, each computed as if it were alone: what a lane holds depends on no other lane, nor on
// how many numbers there are to compute. Kernels that stand on them give a row the same bits whatever rows are beside it.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>

#define LLAVA_LANES_TARGET __attribute__((target("avx2,fma,f16c")))
#define LLAVA_LANES LLAVA_LANES_TARGET inline __attribute__((always_inline))

namespace llava {
namespace {

using Lanes = __m256;

// Whether the processor has the instructions for it.
inline bool hasLanes() { return at::get_cpu_capability() != "DEFAULT"; }

LLAVA_LANES Lanes splat(float value) { return _mm256_set1_ps(value); }
LLAVA_LANES Lanes load(const float* from) { return _mm256_loadu_ps(from); }
LLAVA_LANES Lanes load(const at::BFloat16* from) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
LLAVA_LANES Lanes load(const at::Half* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
// The first, and the second, of eight pairs.
LLAVA_LANES Lanes evens(const at::BFloat16* from) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)), 16));
}
LLAVA_LANES Lanes odds(const at::BFloat16* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm256_castsi256_ps(_mm256_and_si256(bits, _mm256_set1_epi32(static_cast<int>(0xffff0000))));
}
LLAVA_LANES void store(float* to, Lanes lanes) { _mm256_storeu_ps(to, lanes); }
// Bits of bfloat16 in the lower halves: rounded to the nearest, to the even one of two.
LLAVA_LANES __m256i bfloat16Of(Lanes lanes) {
  const __m256i bits = _mm256_castps_si256(lanes);
  const __m256i isOdd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(isOdd, _mm256_set1_epi32(0x7fff)));
  const __m256i isNone = _mm256_castps_si256(_mm256_cmp_ps(lanes, lanes, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(_mm256_srli_epi32(nearest, 16), _mm256_set1_epi32(0x7fc0), isNone);
}
LLAVA_LANES void store(at::BFloat16* to, Lanes lanes) {
  const __m256i halves = bfloat16Of(lanes);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(halves, halves), 0xd8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(packed));
}
LLAVA_LANES void store(at::Half* to, Lanes lanes) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(lanes, _MM_FROUND_TO_NEAREST_INT));
}
LLAVA_LANES Lanes plus(Lanes a, Lanes b) { return _mm256_add_ps(a, b); }
LLAVA_LANES Lanes minus(Lanes a, Lanes b) { return _mm256_sub_ps(a, b); }
LLAVA_LANES Lanes times(Lanes a, Lanes b) { return _mm256_mul_ps(a, b); }
LLAVA_LANES Lanes over(Lanes a, Lanes b) { return _mm256_div_ps(a, b); }
LLAVA_LANES Lanes larger(Lanes a, Lanes b) { return _mm256_max_ps(a, b); }
LLAVA_LANES Lanes smaller(Lanes a, Lanes b) { return _mm256_min_ps(a, b); }
// Of each lane of x, what it chooses: `below` under the bound, `above` elsewhere.
LLAVA_LANES Lanes chosenBelow(Lanes x, float bound, Lanes below, Lanes above) {
  return _mm256_blendv_ps(above, below, _mm256_cmp_ps(x, splat(bound), _CMP_LT_OQ));
}
// a · b + c, rounded once.
LLAVA_LANES Lanes fused(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }

LLAVA_LANES float sumOf(Lanes lanes) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

LLAVA_LANES float largestOf(Lanes lanes) {
  __m128 most = _mm_max_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  most = _mm_max_ps(most, _mm_movehl_ps(most, most));
  return _mm_cvtss_f32(_mm_max_ss(most, _mm_movehdup_ps(most)));
}

// eˣ for x ≤ 0, within 2 units in the last place; 0 below −87.
LLAVA_LANES Lanes exponential(Lanes x) {
  const Lanes isTiny = _mm256_cmp_ps(x, splat(-87.0f), _CMP_LT_OQ);
  const Lanes bounded = larger(x, splat(-87.0f));
  const Lanes whole = _mm256_round_ps(times(bounded, splat(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // ln 2 in two parts, of which the first has few bits: its product is exact.
  const Lanes rest = fused(whole, splat(2.12194440e-4f), fused(whole, splat(-0.693359375f), bounded));
  Lanes power = fused(splat(1.9875691500e-4f), rest, splat(1.3981999507e-3f));
  power = fused(power, rest, splat(8.3334519073e-3f));
  power = fused(power, rest, splat(4.1665795894e-2f));
  power = fused(power, rest, splat(1.6666665459e-1f));
  power = fused(power, rest, splat(5.0000001201e-1f));
  power = plus(fused(power, times(rest, rest), rest), splat(1.0f));
  const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23);
  return _mm256_andnot_ps(isTiny, times(power, _mm256_castsi256_ps(exponent)));
}

}  // namespace
}  // namespace llava
#else
#define LLAVA_LANES_TARGET
#define LLAVA_LANES inline __attribute__((always_inline))

namespace llava {
namespace {

struct Lanes {
  float at[8];
};

inline bool hasLanes() { return true; }

template <typename Make>
LLAVA_LANES Lanes eachLane(const Make& make) {
  Lanes lanes;
  for (int i = 0; i < 8; ++i) lanes.at[i] = make(i);
  return lanes;
}

LLAVA_LANES Lanes splat(float value) { return eachLane([&](int) { return value; }); }
// No template: libtorch's namespace has one of the same name.
LLAVA_LANES Lanes load(const float* from) {
  return eachLane([&](int i) { return from[i]; });
}
LLAVA_LANES Lanes load(const at::BFloat16* from) {
  return eachLane([&](int i) { return static_cast<float>(from[i]); });
}
LLAVA_LANES Lanes load(const at::Half* from) {
  return eachLane([&](int i) { return static_cast<float>(from[i]); });
}
LLAVA_LANES Lanes evens(const at::BFloat16* from) {
  return eachLane([&](int i) { return static_cast<float>(from[2 * i]); });
}
LLAVA_LANES Lanes odds(const at::BFloat16* from) {
  return eachLane([&](int i) { return static_cast<float>(from[2 * i + 1]); });
}
template <typename Element>
LLAVA_LANES void store(Element* to, const Lanes& lanes) {
  for (int i = 0; i < 8; ++i) to[i] = static_cast<Element>(lanes.at[i]);
}
LLAVA_LANES Lanes plus(const Lanes& a, const Lanes& b) { return eachLane([&](int i) { return a.at[i] + b.at[i]; }); }
LLAVA_LANES Lanes minus(const Lanes& a, const Lanes& b) { return eachLane([&](int i) { return a.at[i] - b.at[i]; }); }
LLAVA_LANES Lanes times(const Lanes& a, const Lanes& b) { return eachLane([&](int i) { return a.at[i] * b.at[i]; }); }
LLAVA_LANES Lanes over(const Lanes& a, const Lanes& b) { return eachLane([&](int i) { return a.at[i] / b.at[i]; }); }
LLAVA_LANES Lanes smaller(const Lanes& a, const Lanes& b) {
  return eachLane([&](int i) { return a.at[i] < b.at[i] ? a.at[i] : b.at[i]; });
}
LLAVA_LANES Lanes chosenBelow(const Lanes& x, float bound, const Lanes& below, const Lanes& above) {
  return eachLane([&](int i) { return x.at[i] < bound ? below.at[i] : above.at[i]; });
}
LLAVA_LANES Lanes larger(const Lanes& a, const Lanes& b) {
  return eachLane([&](int i) { return a.at[i] > b.at[i] ? a.at[i] : b.at[i]; });
}
LLAVA_LANES Lanes fused(const Lanes& a, const Lanes& b, const Lanes& c) {
  return eachLane([&](int i) { return std::fma(a.at[i], b.at[i], c.at[i]); });
}
LLAVA_LANES float sumOf(const Lanes& lanes) {
  const float* x = lanes.at;
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}
LLAVA_LANES float largestOf(const Lanes& lanes) {
  float most = lanes.at[0];
  for (float value : lanes.at) most = value > most ? value : most;
  return most;
}
LLAVA_LANES Lanes exponential(const Lanes& x) {
  return eachLane([&](int i) { return x.at[i] < -87.0f ? 0.0f : std::exp(x.at[i]); });
}

}  // namespace
}  // namespace llava
#endif

namespace llava {
namespace {

// As they are after being stored as elements.
template <typename Element>
LLAVA_LANES Lanes rounded(Lanes lanes) {
  if constexpr (std::is_same_v<Element, float>) return lanes;
  Element stored[8];
  store(stored, lanes);
  return load(stored);
}

}  // namespace
}  // namespace llava
