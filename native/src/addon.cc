#include "call.h"

#include <cstdlib>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

// In-GC finalizers, the backstop of tensor lifetimes, exist in the experimental Node-API only.
#if !defined(NAPI_EXPERIMENTAL)
#error "build with NAPI_EXPERIMENTAL"
#endif

namespace {

// A step frees and takes the same tens of megabytes again and again; by default they go back to the kernel each time and
// come again as pages to be zeroed. Whoever sets these variables knows better.
void keepFreedMemory() {
#if defined(__GLIBC__)
  if (!std::getenv("MALLOC_MMAP_THRESHOLD_")) mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that glibc takes
  if (!std::getenv("MALLOC_TRIM_THRESHOLD_")) mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace

NAPI_MODULE_INIT() {
  keepFreedMemory();
  auto* environment = new llava::Environment();
  napi_set_instance_data(env, environment, nullptr, nullptr);
  napi_add_env_cleanup_hook(env, [](void* data) { static_cast<llava::Environment*>(data)->close(); }, environment);
  llava::defineTensors(env, exports);
  llava::defineMappedFiles(env, exports);
  llava::defineDispatch(env, exports);
  llava::defineAutograd(env, exports);
  llava::defineRuntime(env, exports);
  llava::defineProcessGroup(env, exports);
  return exports;
}
