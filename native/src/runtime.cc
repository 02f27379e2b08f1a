#include <dlfcn.h>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/native/DispatchStub.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/version.h>

#include "call.h"
#include "processor.h"

namespace llava {

at::Generator& generatorOf(const Call& call, napi_value value) {
  int32_t index = call.int32(value);
  auto& generators = call.environment.generators;
  if (index < 0 || index >= static_cast<int32_t>(generators.size()) || !generators[index].defined())
    throw std::runtime_error("a generator was used after it was disposed");
  return generators[index];
}

namespace {

napi_value version(Call& call) { return call.result(std::string(TORCH_VERSION)); }
napi_value cpuCapability(Call& call) { return call.result(at::get_cpu_capability()); }
napi_value instructions(Call& call) { return call.result(instructionSet()); }
napi_value fastBfloat16(Call& call) { return call.result(multipliesBfloat16()); }
napi_value threads(Call& call) { return call.result(static_cast<int32_t>(at::get_num_threads())); }
napi_value setThreads(Call& call) {
  int32_t count = call.int32(call.arguments[0]);
  if (count < 1) throw std::invalid_argument("at least one thread is needed");
  at::set_num_threads(count);
  return call.undefined();
}

// loadCuda(path of libtorch_cuda.so): its kernels then appear in the same dispatcher. Returns the number of GPUs.
napi_value loadCuda(Call& call) {
  std::string path = call.string(call.arguments[0]);
  if (!dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) throw std::runtime_error(dlerror());
  if (!at::globalContext().hasCUDA()) return call.result(int32_t{0});
  int32_t count = c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount();
  if (count > 0) at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  return call.result(count);
}

// synchronize(device): waits for the work queued on it.
napi_value synchronize(Call& call) {
  c10::Device device(call.string(call.arguments[0]));
  if (!device.is_cpu())
    c10::impl::getDeviceGuardImpl(device.type())->synchronizeDevice(device.has_index() ? device.index() : 0);
  return call.undefined();
}

// createGenerator(seed, device) → index
napi_value createGenerator(Call& call) {
  auto seed = static_cast<uint64_t>(call.int64(call.arguments[0]));
  c10::Device device(call.string(call.arguments[1]));
  at::Generator generator =
      device.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>(seed)
                      : at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  auto& generators = call.environment.generators;
  for (size_t i = 0; i < generators.size(); ++i)
    if (!generators[i].defined()) {
      generators[i] = generator;
      return call.result(static_cast<int32_t>(i));
    }
  generators.push_back(generator);
  return call.result(static_cast<int32_t>(generators.size() - 1));
}

napi_value releaseGenerator(Call& call) {
  generatorOf(call, call.arguments[0]) = at::Generator();
  return call.undefined();
}

napi_value generatorState(Call& call) { return call.slot(generatorOf(call, call.arguments[0]).get_state()); }

napi_value setGeneratorState(Call& call) {
  generatorOf(call, call.arguments[0]).set_state(call.tensor(call.arguments[1]));
  return call.undefined();
}

}  // namespace

void defineRuntime(napi_env env, napi_value exports) {
  define<version>(env, exports, "version");
  define<cpuCapability>(env, exports, "cpuCapability");
  define<instructions>(env, exports, "instructionSet");
  define<fastBfloat16>(env, exports, "multipliesBfloat16");
  define<threads>(env, exports, "threads");
  define<setThreads>(env, exports, "setThreads");
  define<loadCuda>(env, exports, "loadCuda");
  define<synchronize>(env, exports, "synchronize");
  define<createGenerator>(env, exports, "createGenerator");
  define<releaseGenerator>(env, exports, "releaseGenerator");
  define<generatorState>(env, exports, "generatorState");
  define<setGeneratorState>(env, exports, "setGeneratorState");
}

}  // namespace llava
