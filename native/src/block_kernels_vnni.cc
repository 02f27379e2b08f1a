#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#define LLAVA_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")))

namespace llava {
namespace {

LLAVA_TARGET inline __attribute__((always_inline)) __m256i addPairs(__m256i sum, __m256i left, __m256i right) {
  return _mm256_dpwssd_epi32(sum, left, right);
}
LLAVA_TARGET inline __attribute__((always_inline)) __m256i dotBytes(__m256i left, __m256i right) {
  return _mm256_dpbusd_epi32(_mm256_setzero_si256(), left, right);
}
LLAVA_TARGET inline __attribute__((always_inline)) __m256i dotFours(const __m256i* fours, const int8_t* values) {
  __m256i sums = _mm256_setzero_si256();
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    int32_t four;
    std::memcpy(&four, values + 4 * i, 4);
    sums = _mm256_dpbusd_epi32(sums, fours[i], _mm256_set1_epi32(four));
  }
  return sums;
}

}  // namespace
}  // namespace llava

#include "block_kernels_x86.h"

namespace llava {
const BlockKernels kVnniKernels = kKernels;
}  // namespace llava
#endif
