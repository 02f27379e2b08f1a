// Groups of processes: made here, used through libtorch's own operators (_c10d_functional::*) by their names.
#include <torch/csrc/distributed/c10d/GroupRegistry.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cxxabi.h>

#include <cstring>
#include <exception>
#include <map>
#include <thread>

#include "call.h"

namespace llava {
namespace {

// Of the process, as is the registry that operators find groups in, which does not keep them.
c10::intrusive_ptr<c10d::Store> store;
std::map<std::string, c10::intrusive_ptr<c10d::ProcessGroup>> groups;

c10d::Store& theStore() {
  if (!store) throw std::runtime_error("there is no store");
  return *store;
}

// Gloo throws in a thread of its own, which nobody can catch, where ranks make different calls. The thread waits then until the
// watches of the ranks have told which rank it was and ended all of them.
std::terminate_handler otherwise;

[[noreturn]] void afterTheWatches() {
  const std::type_info* thrown = abi::__cxa_current_exception_type();
  if (thrown && std::strstr(thrown->name(), "gloo")) std::this_thread::sleep_for(std::chrono::seconds(20));
  otherwise();
  std::abort();
}

std::chrono::milliseconds milliseconds(const Call& call, size_t i) {
  return std::chrono::milliseconds(call.int64(call.arguments[i]));
}

// openStore(host, port, isServer, timeout in ms): the values that processes tell each other under names
napi_value openStore(Call& call) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(call.int32(call.arguments[1]));
  options.isServer = call.boolean(call.arguments[2]);
  options.waitWorkers = false;
  options.multiTenant = true;
  options.timeout = milliseconds(call, 3);
  store = c10::make_intrusive<c10d::TCPStore>(call.string(call.arguments[0]), options);
  return call.undefined();
}

// storeSet(name, value)
napi_value storeSet(Call& call) {
  std::string value = call.string(call.arguments[1]);
  theStore().set(call.string(call.arguments[0]), std::vector<uint8_t>(value.begin(), value.end()));
  return call.undefined();
}

// storeGet(name): waits for the value
napi_value storeGet(Call& call) {
  auto value = theStore().get(call.string(call.arguments[0]));
  return call.result(std::string(value.begin(), value.end()));
}

// storeHas(name)
napi_value storeHas(Call& call) { return call.result(theStore().check({call.string(call.arguments[0])})); }

// openGroup(name, rank, size, network interface or "", timeout in ms): CPU tensors go by Gloo
napi_value openGroup(Call& call) {
  std::string name = call.string(call.arguments[0]);
  int rank = call.int32(call.arguments[1]), size = call.int32(call.arguments[2]);
  std::string interface = call.string(call.arguments[3]);
  theStore();
  if (!otherwise) otherwise = std::set_terminate(afterTheWatches);
  auto own = c10::make_intrusive<c10d::PrefixStore>(name, store);
  auto options = c10d::ProcessGroupGloo::Options::create(milliseconds(call, 4));
  options->group_name = name;
  options->devices.push_back(interface.empty() ? c10d::ProcessGroupGloo::createDefaultDevice()
                                               : c10d::ProcessGroupGloo::createDeviceForInterface(interface));
  auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, size, options);
  auto group = c10::make_intrusive<c10d::ProcessGroup>(own, rank, size);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, backend);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  group->setGroupName(name);
  c10d::register_process_group(name, group);
  groups[name] = group;
  return call.undefined();
}

// closeGroups(): all groups, and the store
napi_value closeGroups(Call& call) {
  c10d::unregister_all_process_groups();
  groups.clear();
  store.reset();
  return call.undefined();
}

}  // namespace

void defineProcessGroup(napi_env env, napi_value exports) {
  define<openStore>(env, exports, "openStore");
  define<storeSet>(env, exports, "storeSet");
  define<storeGet>(env, exports, "storeGet");
  define<storeHas>(env, exports, "storeHas");
  define<openGroup>(env, exports, "openGroup");
  define<closeGroups>(env, exports, "closeGroups");
}

}  // namespace llava
