// The addon for CUDA. It shares nothing with the main addon but libtorch: groups of processes are found in libtorch's registry,
// and tensors stay in the main addon's table.
#include "define.h"

namespace llava {

std::string messageOf(const std::exception& error) {
  if (auto* torchError = dynamic_cast<const c10::Error*>(&error)) return torchError->what_without_backtrace();
  return error.what();
}

}  // namespace llava

NAPI_MODULE_INIT() {
  auto* environment = new llava::Environment();
  napi_set_instance_data(env, environment, nullptr, nullptr);
  llava::defineNccl(env, exports);
  llava::defineGraphs(env, exports);
  llava::defineMemory(env, exports);
  return exports;
}
