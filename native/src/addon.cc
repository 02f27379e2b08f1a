#include "call.h"

// In-GC finalizers, the backstop of tensor lifetimes, exist in the experimental Node-API only.
#if !defined(NAPI_EXPERIMENTAL)
#error "build with NAPI_EXPERIMENTAL"
#endif

namespace llava {

Environment& environmentOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Environment*>(data);
}

std::string messageOf(const std::exception& error) {
  if (auto* torchError = dynamic_cast<const c10::Error*>(&error)) return torchError->what_without_backtrace();
  return error.what();
}

}  // namespace llava

NAPI_MODULE_INIT() {
  // Finalizers may run after this environment's cleanup, so the small struct itself stays; its tensors go.
  auto* environment = new llava::Environment();
  napi_set_instance_data(env, environment, nullptr, nullptr);
  napi_add_env_cleanup_hook(
      env,
      [](void* data) {
        auto* environment = static_cast<llava::Environment*>(data);
        for (auto& slot : environment->slots) slot.tensor = at::Tensor();
        environment->generators.clear();
      },
      environment);
  llava::defineTensors(env, exports);
  llava::defineDispatch(env, exports);
  llava::defineAutograd(env, exports);
  llava::defineRuntime(env, exports);
  return exports;
}
