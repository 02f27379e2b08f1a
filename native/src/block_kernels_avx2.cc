#if defined(__x86_64__)
#include <immintrin.h>

#define LLAVA_TARGET __attribute__((target("avx2,fma,f16c")))

namespace llava {
namespace {

LLAVA_TARGET inline __attribute__((always_inline)) __m256i addPairs(__m256i sum, __m256i left, __m256i right) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(left, right));
}
LLAVA_TARGET inline __attribute__((always_inline)) __m256i dotBytes(__m256i left, __m256i right) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(left, right), _mm256_set1_epi16(1));
}

}  // namespace
}  // namespace llava

#include "block_kernels_x86.h"

namespace llava {
const BlockKernels kAvx2Kernels = kKernels;
}  // namespace llava
#endif
