// The one way in and out: reading arguments, making results, and turning C++ exceptions into JavaScript errors.
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "environment.h"

namespace llava {

class Call {
 public:
  static constexpr size_t kMaxArguments = 24;
  static constexpr double kLargestInteger = 9007199254740992.0;  // 2^53, as far as doubles count

  Call(napi_env env, napi_callback_info info) : env(env), environment(read(env, info)) {
    if (count > kMaxArguments) throw std::invalid_argument("too many arguments");
  }

  napi_env env;
  size_t count = kMaxArguments;
  napi_value arguments[kMaxArguments];  // those that were not given are undefined
  Environment& environment;

  napi_valuetype type(napi_value value) const {
    napi_valuetype kind;
    napi_typeof(env, value, &kind);
    return kind;
  }
  bool missing(size_t i) const {
    if (i >= count) return true;
    napi_valuetype kind = type(arguments[i]);
    return kind == napi_undefined || kind == napi_null;
  }

  // Within ±limit, which must be exact as a double. NaN and fractions are refused, not rounded.
  int64_t whole(napi_value value, double limit, const char* expected = "expected a whole number") const {
    double result;
    if (napi_get_value_double(env, value, &result) != napi_ok || !(std::abs(result) <= limit) ||
        std::trunc(result) != result)
      throw std::invalid_argument(expected);
    return static_cast<int64_t>(result);
  }
  int32_t int32(napi_value value) const { return static_cast<int32_t>(whole(value, 2147483647.0)); }
  int64_t int64(napi_value value) const { return whole(value, kLargestInteger); }
  double number(napi_value value) const {
    double result;
    if (napi_get_value_double(env, value, &result) != napi_ok) throw std::invalid_argument("expected a number");
    return result;
  }
  bool boolean(napi_value value) const {
    bool result;
    if (napi_get_value_bool(env, value, &result) != napi_ok) throw std::invalid_argument("expected a boolean");
    return result;
  }
  std::string string(napi_value value) const {
    size_t length;
    if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok)
      throw std::invalid_argument("expected a string");
    std::string result(length, '\0');
    napi_get_value_string_utf8(env, value, result.data(), length + 1, &length);
    return result;
  }
  template <typename T, typename Read>
  std::vector<T> list(napi_value value, Read read) const {
    uint32_t length;
    if (napi_get_array_length(env, value, &length) != napi_ok) throw std::invalid_argument("expected an array");
    std::vector<T> result;
    for (uint32_t i = 0; i < length; ++i) {
      napi_value element;
      if (napi_get_element(env, value, i, &element) != napi_ok) throw std::invalid_argument("unreadable array");
      result.push_back(read(element));
    }
    return result;
  }
  std::vector<int64_t> int64s(napi_value value) const {
    return list<int64_t>(value, [this](napi_value element) { return int64(element); });
  }
  const at::Tensor& tensor(napi_value value) const {
    return environment.get(static_cast<int32_t>(whole(value, 2147483647.0, "expected a tensor")));
  }
  std::vector<at::Tensor> tensors(napi_value value) const {
    return list<at::Tensor>(value, [this](napi_value element) { return tensor(element); });
  }
  // A whole number becomes an integer scalar, so that type promotion is the one PyTorch users know from literals.
  at::Scalar scalar(napi_value value) const {
    if (type(value) == napi_boolean) return at::Scalar(boolean(value));
    double result = number(value);
    if (std::abs(result) < kLargestInteger && std::trunc(result) == result)
      return at::Scalar(static_cast<int64_t>(result));
    return at::Scalar(result);
  }

  napi_value result(int32_t value) const { napi_value out; napi_create_int32(env, value, &out); return out; }
  napi_value result(double value) const { napi_value out; napi_create_double(env, value, &out); return out; }
  napi_value result(bool value) const { napi_value out; napi_get_boolean(env, value, &out); return out; }
  napi_value result(const std::string& value) const {
    napi_value out;
    napi_create_string_utf8(env, value.data(), value.size(), &out);
    return out;
  }
  napi_value undefined() const { napi_value out; napi_get_undefined(env, &out); return out; }
  napi_value slot(at::Tensor tensor) const { return result(environment.add(std::move(tensor))); }
  napi_value slots(const std::vector<at::Tensor>& tensors) const {
    napi_value out;
    napi_create_array_with_length(env, tensors.size(), &out);
    for (size_t i = 0; i < tensors.size(); ++i)
      napi_set_element(env, out, i, tensors[i].defined() ? slot(tensors[i]) : result(int32_t{-1}));
    return out;
  }

 private:
  Environment& read(napi_env env, napi_callback_info info) {
    void* data;
    napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
    return *static_cast<Environment*>(data);
  }
};

at::Generator& generatorOf(const Call& call, napi_value index);

at::ScalarType dtypeOf(const Call& call, napi_value value);
// Of a tensor of this shape; throws where there can be none.
int64_t bytesOf(const std::vector<int64_t>& shape, at::ScalarType type);

// Drops the C++ stack trace that libtorch appends to its messages.
inline std::string messageOf(const std::exception& error) {
  if (auto* torchError = dynamic_cast<const c10::Error*>(&error)) return torchError->what_without_backtrace();
  return error.what();
}

template <napi_value (*body)(Call&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    Call call(env, info);
    return body(call);
  } catch (const std::exception& error) {
    napi_throw_error(env, "TORCH", messageOf(error).c_str());
  } catch (...) {
    napi_throw_error(env, "TORCH", "an unknown native error");
  }
  return nullptr;
}

template <napi_value (*body)(Call&)>
void define(napi_env env, napi_value exports, const char* name) {
  void* environment;
  napi_get_instance_data(env, &environment);
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, guarded<body>, environment, &function);
  napi_set_named_property(env, exports, name, function);
}

void defineTensors(napi_env env, napi_value exports);
void defineMappedFiles(napi_env env, napi_value exports);
void defineDispatch(napi_env env, napi_value exports);
void defineAutograd(napi_env env, napi_value exports);
void defineRuntime(napi_env env, napi_value exports);
void defineProcessGroup(napi_env env, napi_value exports);

}  // namespace llava
