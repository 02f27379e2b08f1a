#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#define LLAVA_TARGET __attribute__((target("avx2,fma,f16c")))

namespace llava {
namespace {

LLAVA_TARGET inline __attribute__((always_inline)) __m256i addPairs(__m256i sum, __m256i left, __m256i right) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(left, right));
}
LLAVA_TARGET inline __attribute__((always_inline)) __m256i dotBytes(__m256i left, __m256i right) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(left, right), _mm256_set1_epi16(1));
}
LLAVA_TARGET inline __attribute__((always_inline)) __m256i dotFours(const __m256i* fours, const int8_t* values) {
  __m256i pairs[4];  // of at most 2 · 31 · 127: four of them fit into 16 bits
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    int32_t four;
    std::memcpy(&four, values + 4 * i, 4);
    pairs[i] = _mm256_maddubs_epi16(fours[i], _mm256_set1_epi32(four));
  }
  const __m256i sums = _mm256_add_epi16(_mm256_add_epi16(pairs[0], pairs[1]), _mm256_add_epi16(pairs[2], pairs[3]));
  return _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
}

}  // namespace
}  // namespace llava

#include "block_kernels_x86.h"

namespace llava {
const BlockKernels kAvx2Kernels = kKernels;
}  // namespace llava
#endif
