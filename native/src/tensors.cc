#include <ATen/core/grad_mode.h>

#include <cstring>

#include "call.h"

namespace llava {

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

namespace {

constexpr int64_t kReportEvery = 8 << 20;

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
}

}  // namespace llava
