// What libtorch's allocator holds of a GPU's memory.
#include <c10/cuda/CUDACachingAllocator.h>

#include "define.h"

namespace llava {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

c10::DeviceIndex device(Call& call) { return static_cast<c10::DeviceIndex>(call.int32(call.arguments[0])); }

// memory(device) → bytes [in use, most in use, held, most held]
napi_value memory(Call& call) {
  auto statistics = allocator::getDeviceStats(device(call));
  napi_value out;
  napi_create_array_with_length(call.env, 4, &out);
  uint32_t i = 0;
  for (const auto* each : {&statistics.allocated_bytes[0], &statistics.reserved_bytes[0]})
    for (int64_t bytes : {each->current, each->peak})
      napi_set_element(call.env, out, i++, call.result(static_cast<double>(bytes)));
  return out;
}

napi_value resetPeak(Call& call) {
  allocator::resetPeakStats(device(call));
  return call.undefined();
}

napi_value emptyCache(Call& call) {
  allocator::emptyCache();
  return call.undefined();
}

}  // namespace

void defineMemory(napi_env env, napi_value exports) {
  define<memory>(env, exports, "memory");
  define<resetPeak>(env, exports, "resetPeak");
  define<emptyCache>(env, exports, "emptyCache");
}

}  // namespace llava
