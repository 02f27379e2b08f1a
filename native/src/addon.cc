#include "call.h"

// In-GC finalizers, the backstop of tensor lifetimes, exist in the experimental Node-API only.
#if !defined(NAPI_EXPERIMENTAL)
#error "build with NAPI_EXPERIMENTAL"
#endif

namespace llava {

std::string messageOf(const std::exception& error) {
  if (auto* torchError = dynamic_cast<const c10::Error*>(&error)) return torchError->what_without_backtrace();
  return error.what();
}

}  // namespace llava

NAPI_MODULE_INIT() {
  auto* environment = new llava::Environment();
  napi_set_instance_data(env, environment, nullptr, nullptr);
  napi_add_env_cleanup_hook(env, [](void* data) { static_cast<llava::Environment*>(data)->close(); }, environment);
  llava::defineTensors(env, exports);
  llava::defineDispatch(env, exports);
  llava::defineAutograd(env, exports);
  llava::defineRuntime(env, exports);
  return exports;
}
