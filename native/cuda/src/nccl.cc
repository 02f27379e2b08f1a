// NCCL for the CUDA tensors of a group whose CPU tensors go by Gloo.
#include <c10/cuda/CUDAFunctions.h>
#include <torch/csrc/distributed/c10d/GroupRegistry.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "define.h"

namespace llava {
namespace {

napi_value ncclVersion(Call& call) { return call.result(c10d::getNcclVersion()); }

// openNccl(group, device's number, timeout in ms)
napi_value openNccl(Call& call) {
  std::string name = call.string(call.arguments[0]);
  auto device = static_cast<c10::DeviceIndex>(call.int32(call.arguments[1]));
  auto group = c10d::resolve_process_group(name);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::milliseconds(call.int64(call.arguments[2]));
  options->group_name = name;
  auto store = c10::make_intrusive<c10d::PrefixStore>("nccl", group->getStore());
  c10::cuda::set_device(device);
  auto backend =
      c10::make_intrusive<c10d::ProcessGroupNCCL>(store, group->getRank(), group->getSize(), options);
  group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, backend);
  backend->setBoundDeviceId(c10::Device(c10::kCUDA, device));
  return call.undefined();
}

}  // namespace

void defineNccl(napi_env env, napi_value exports) {
  define<ncclVersion>(env, exports, "ncclVersion");
  define<openNccl>(env, exports, "openNccl");
}

}  // namespace llava
