#if defined(__x86_64__)
#include <immintrin.h>

#define LLAVA_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")))

namespace llava {
namespace {

LLAVA_TARGET inline __attribute__((always_inline)) __m256i addPairs(__m256i sum, __m256i left, __m256i right) {
  return _mm256_dpwssd_epi32(sum, left, right);
}
LLAVA_TARGET inline __attribute__((always_inline)) __m256i dotBytes(__m256i left, __m256i right) {
  return _mm256_dpbusd_epi32(_mm256_setzero_si256(), left, right);
}

}  // namespace
}  // namespace llava

#include "block_kernels_x86.h"

namespace llava {
const BlockKernels kVnniKernels = kKernels;
}  // namespace llava
#endif
