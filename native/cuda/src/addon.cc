// The addon for CUDA. It shares nothing with the main addon but libtorch: groups of processes are found in libtorch's registry,
// and tensors stay in the main addon's table.
#include "define.h"

NAPI_MODULE_INIT() {
  auto* environment = new llava::Environment();
  napi_set_instance_data(env, environment, nullptr, nullptr);
  llava::defineNccl(env, exports);
  llava::defineGraphs(env, exports);
  llava::defineMemory(env, exports);
  return exports;
}
