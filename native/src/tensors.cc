#include <ATen/core/grad_mode.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "call.h"

namespace llava {
namespace {

constexpr int64_t kReportEvery = 4 << 20;

void report(node_api_basic_env env, Environment& environment) {
  if (std::abs(environment.unreportedBytes) < kReportEvery) return;
  int64_t adjusted;
  napi_adjust_external_memory(env, environment.unreportedBytes, &adjusted);
  environment.unreportedBytes = 0;
}

// A slot and its generation in the pointer that a finalizer is given.
static_assert(sizeof(void*) == 8);
void* packed(int32_t slot, uint32_t generation) {
  return reinterpret_cast<void*>(uint64_t{generation} << 32 | static_cast<uint32_t>(slot));
}

// Runs inside the garbage collector: it may touch native memory only.
void onCollected(node_api_basic_env, void* data, void* hint) {
  auto& environment = *static_cast<Environment*>(hint);
  if (environment.closed) return;
  auto bits = reinterpret_cast<uint64_t>(data);
  environment.dead.emplace_back(static_cast<int32_t>(bits), static_cast<uint32_t>(bits >> 32));
}

// track(object, slot): the slot is emptied when the garbage collector takes the object.
napi_value track(Call& call) {
  Environment& environment = call.environment;
  int32_t index = call.int32(call.arguments[1]);
  environment.releaseDead();
  const at::Tensor& tensor = environment.get(index);
  auto& slot = environment.slots[index];
  if (napi_add_finalizer(call.env, call.arguments[0], packed(index, slot.generation), onCollected, &environment,
                         nullptr) != napi_ok)
    throw std::invalid_argument("expected an object");
  slot.hintedBytes = static_cast<int64_t>(tensor.nbytes());
  environment.unreportedBytes += slot.hintedBytes;
  report(call.env, environment);
  return call.undefined();
}

napi_value release(Call& call) {
  call.environment.release(call.int32(call.arguments[0]));
  report(call.env, call.environment);
  return call.undefined();
}

// releaseAll(slots: Int32Array, count)
napi_value releaseAll(Call& call) {
  void* data;
  size_t length;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(call.env, call.arguments[0], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array)
    throw std::invalid_argument("expected an Int32Array");
  int64_t count = std::min<int64_t>(length, call.int32(call.arguments[1]));
  for (int64_t i = 0; i < count; ++i) call.environment.release(static_cast<int32_t*>(data)[i]);
  call.environment.releaseDead();
  report(call.env, call.environment);
  return call.undefined();
}

napi_value liveTensors(Call& call) {
  call.environment.releaseDead();
  return call.result(static_cast<double>(call.environment.live));
}

napi_value shape(Call& call) {
  const at::Tensor& tensor = call.tensor(call.arguments[0]);
  napi_value out;
  napi_create_array_with_length(call.env, tensor.dim(), &out);
  for (int64_t i = 0; i < tensor.dim(); ++i)
    napi_set_element(call.env, out, i, call.result(static_cast<double>(tensor.size(i))));
  return out;
}

napi_value dtype(Call& call) {
  return call.result(static_cast<int32_t>(call.tensor(call.arguments[0]).scalar_type()));
}

napi_value device(Call& call) { return call.result(call.tensor(call.arguments[0]).device().str()); }

struct View {
  void* data;
  size_t bytes;
};

View viewOf(const Call& call, napi_value value) {
  View view{};
  napi_typedarray_type type;
  if (napi_get_typedarray_info(call.env, value, &type, &view.bytes, &view.data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array)
    throw std::invalid_argument("expected a Uint8Array");
  return view;
}

at::ScalarType dtypeOf(const Call& call, napi_value value) {
  int32_t code = call.int32(value);
  if (code < 0 || code >= static_cast<int32_t>(at::ScalarType::NumOptions))
    throw std::invalid_argument("there is no dtype " + std::to_string(code));
  return static_cast<at::ScalarType>(code);
}

int64_t bytesOf(const std::vector<int64_t>& shape, at::ScalarType type) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(type));
  for (int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes))
      throw std::invalid_argument("no tensor can have this shape");
  return bytes;
}

// fromBytes(view, shape, dtype): copies.
napi_value fromBytes(Call& call) {
  View view = viewOf(call, call.arguments[0]);
  auto shape = call.int64s(call.arguments[1]);
  auto type = dtypeOf(call, call.arguments[2]);
  if (int64_t bytes = bytesOf(shape, type); bytes != static_cast<int64_t>(view.bytes))
    throw std::invalid_argument("the array holds " + std::to_string(view.bytes) + " bytes, the shape needs " +
                                std::to_string(bytes));
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(type));
  if (view.bytes) std::memcpy(tensor.data_ptr(), view.data, view.bytes);
  return call.slot(std::move(tensor));
}

// toBytes(slot) → ArrayBuffer in row-major order.
napi_value toBytes(Call& call) {
  at::NoGradGuard guard;
  at::Tensor tensor = call.tensor(call.arguments[0]).detach().to(at::kCPU).contiguous();
  void* data;
  napi_value out;
  if (napi_create_arraybuffer(call.env, tensor.nbytes(), &data, &out) != napi_ok)
    throw std::runtime_error("no memory for an ArrayBuffer of " + std::to_string(tensor.nbytes()) + " bytes");
  if (tensor.nbytes()) std::memcpy(data, tensor.data_ptr(), tensor.nbytes());
  return out;
}

napi_value item(Call& call) {
  const at::Tensor& tensor = call.tensor(call.arguments[0]);
  at::Scalar value = tensor.item();
  if (value.isIntegral(true)) return call.result(static_cast<double>(value.toLong()));
  return call.result(value.toDouble());
}

struct Mapping {
  char* data = nullptr;
  size_t bytes = 0;
  ~Mapping() {
    if (bytes) munmap(data, bytes);
  }
};
using SharedMapping = std::shared_ptr<Mapping>;

// mapFile(path) → [external, bytes]. Private: writing to a tensor over it never reaches the file.
napi_value mapFile(Call& call) {
  std::string path = call.string(call.arguments[0]);
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // opening a pipe must not wait for a writer
  if (file < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(file);
    throw std::runtime_error(path + ": not a file");
  }
  auto mapping = std::make_shared<Mapping>();
  if (info.st_size > 0) {
    void* data = mmap(nullptr, info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0);
    int problem = errno;
    close(file);
    if (data == MAP_FAILED) throw std::runtime_error(path + ": cannot be mapped: " + std::strerror(problem));
    mapping->data = static_cast<char*>(data);
    mapping->bytes = info.st_size;
  } else {
    close(file);
  }
  napi_value external, out;
  napi_create_external(
      call.env, new SharedMapping(mapping),
      [](node_api_basic_env, void* data, void*) { delete static_cast<SharedMapping*>(data); }, nullptr, &external);
  napi_create_array_with_length(call.env, 2, &out);
  napi_set_element(call.env, out, 0, external);
  napi_set_element(call.env, out, 1, call.result(static_cast<double>(mapping->bytes)));
  return out;
}

const SharedMapping& mappingOf(const Call& call, napi_value value) {
  void* data;
  if (napi_get_value_external(call.env, value, &data) != napi_ok) throw std::invalid_argument("expected a mapping");
  return *static_cast<SharedMapping*>(data);
}

char* rangeOf(const SharedMapping& mapping, int64_t offset, int64_t bytes) {
  if (offset < 0 || bytes < 0 || static_cast<size_t>(offset) + static_cast<size_t>(bytes) > mapping->bytes)
    throw std::out_of_range("bytes " + std::to_string(offset) + " to " + std::to_string(offset + bytes) +
                            " lie outside the file's " + std::to_string(mapping->bytes));
  return mapping->data + offset;
}

// mappedBytes(mapping, start, end) → ArrayBuffer, a copy.
napi_value mappedBytes(Call& call) {
  const SharedMapping& mapping = mappingOf(call, call.arguments[0]);
  int64_t start = call.int64(call.arguments[1]);
  int64_t bytes = call.int64(call.arguments[2]) - start;
  char* source = rangeOf(mapping, start, bytes);
  void* data;
  napi_value out;
  if (napi_create_arraybuffer(call.env, bytes, &data, &out) != napi_ok) throw std::runtime_error("out of memory");
  if (bytes) std::memcpy(data, source, bytes);
  return out;
}

// mappedTensor(mapping, offset, shape, dtype): zero-copy; the mapping lives as long as the tensor's storage.
napi_value mappedTensor(Call& call) {
  SharedMapping mapping = mappingOf(call, call.arguments[0]);
  int64_t offset = call.int64(call.arguments[1]);
  auto shape = call.int64s(call.arguments[2]);
  auto type = dtypeOf(call, call.arguments[3]);
  char* data = rangeOf(mapping, offset, bytesOf(shape, type));
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(type) != 0)
    throw std::invalid_argument("offset " + std::to_string(offset) + " is not aligned to the element size");
  return call.slot(at::from_blob(data, shape, [mapping](void*) {}, at::TensorOptions().dtype(type)));
}

}  // namespace

void defineTensors(napi_env env, napi_value exports) {
  define<track>(env, exports, "track");
  define<release>(env, exports, "release");
  define<releaseAll>(env, exports, "releaseAll");
  define<liveTensors>(env, exports, "liveTensors");
  define<shape>(env, exports, "shape");
  define<dtype>(env, exports, "dtype");
  define<device>(env, exports, "device");
  define<fromBytes>(env, exports, "fromBytes");
  define<toBytes>(env, exports, "toBytes");
  define<item>(env, exports, "item");
  define<mapFile>(env, exports, "mapFile");
  define<mappedBytes>(env, exports, "mappedBytes");
  define<mappedTensor>(env, exports, "mappedTensor");
}

}  // namespace llava
