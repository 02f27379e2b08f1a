// One generic call over libtorch's dispatcher: arguments are read after the operator's own schema.
#include <ATen/core/dispatch/Dispatcher.h>

#include <map>
#include <mutex>
#include <tuple>

#include "call.h"

namespace llava {
namespace {

enum class Kind : uint8_t {
  Tensor, Tensors, OptionalTensors, Int, Ints, Float, Floats, Bool, Bools, String, Scalar, Scalars, Device, Generator, Other
};

struct Parameter {
  Kind kind;
  bool optional;  // the schema's type is T?, so undefined and null mean "none" when there is no default
  std::string name;
};

using Binary = at::Tensor(const at::Tensor&, const at::Tensor&);
using BinaryAlpha = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Scalar&);
using Unary = at::Tensor(const at::Tensor&);
using WithScalar = at::Tensor(const at::Tensor&, const at::Scalar&);

}  // namespace

struct Operator {
  explicit Operator(c10::OperatorHandle handle) : handle(handle) {}
  c10::OperatorHandle handle;
  std::vector<Parameter> parameters;
  // Results that alias an argument in place are not handed out again: JavaScript returns the argument's own object.
  std::vector<bool> fresh;
  // Small, frequent operators skip the boxed stack.
  std::optional<c10::TypedOperatorHandle<Binary>> binary;
  std::optional<c10::TypedOperatorHandle<BinaryAlpha>> binaryAlpha;
  std::optional<c10::TypedOperatorHandle<Unary>> unary;
  std::optional<c10::TypedOperatorHandle<WithScalar>> withScalar;
};

namespace {

// Shared by all threads and never emptied, so that their pointers last.
std::mutex operatorsMutex;
std::map<c10::OperatorName, Operator, bool (*)(const c10::OperatorName&, const c10::OperatorName&)> operators(
    [](const c10::OperatorName& a, const c10::OperatorName& b) {
      return std::tie(a.name, a.overload_name) < std::tie(b.name, b.overload_name);
    });

Parameter parameterOf(const c10::Argument& argument) {
  c10::TypePtr type = argument.type();
  bool optional = false;
  if (auto inner = type->cast<c10::OptionalType>()) {
    optional = true;
    type = inner->getElementType();
  }
  Kind kind = Kind::Other;
  switch (type->kind()) {
    case c10::TypeKind::TensorType: kind = Kind::Tensor; break;
    case c10::TypeKind::IntType: case c10::TypeKind::SymIntType: kind = Kind::Int; break;
    case c10::TypeKind::FloatType: kind = Kind::Float; break;
    case c10::TypeKind::BoolType: kind = Kind::Bool; break;
    case c10::TypeKind::StringType: kind = Kind::String; break;
    case c10::TypeKind::AnyType: kind = Kind::String; break;  // names of groups and of reductions
    case c10::TypeKind::NumberType: kind = Kind::Scalar; break;
    case c10::TypeKind::DeviceObjType: kind = Kind::Device; break;
    case c10::TypeKind::GeneratorType: kind = Kind::Generator; break;
    case c10::TypeKind::ListType: {
      c10::TypePtr element = type->castRaw<c10::ListType>()->getElementType();
      switch (element->kind()) {
        case c10::TypeKind::TensorType: kind = Kind::Tensors; break;
        case c10::TypeKind::OptionalType: kind = Kind::OptionalTensors; break;
        case c10::TypeKind::IntType: case c10::TypeKind::SymIntType: kind = Kind::Ints; break;
        case c10::TypeKind::FloatType: kind = Kind::Floats; break;
        case c10::TypeKind::BoolType: kind = Kind::Bools; break;
        case c10::TypeKind::NumberType: kind = Kind::Scalars; break;
        default: break;
      }
      break;
    }
    default: break;
  }
  return {kind, optional, argument.name()};
}

bool matches(const Operator& op, std::initializer_list<Kind> kinds) {
  if (op.parameters.size() != kinds.size()) return false;
  size_t i = 0;
  for (Kind kind : kinds)
    if (op.parameters[i].kind != kind || op.parameters[i++].optional) return false;
  return op.fresh.size() == 1 && op.fresh[0] &&
         op.handle.schema().returns()[0].type()->kind() == c10::TypeKind::TensorType;
}

Operator describe(c10::OperatorHandle handle) {
  Operator op(handle);
  const auto& schema = handle.schema();
  for (const auto& argument : schema.arguments()) op.parameters.push_back(parameterOf(argument));
  for (const auto& value : schema.returns()) op.fresh.push_back(!(value.alias_info() && value.alias_info()->isWrite()));
  if (matches(op, {Kind::Tensor, Kind::Tensor})) op.binary = handle.typed<Binary>();
  if (matches(op, {Kind::Tensor, Kind::Tensor, Kind::Scalar})) op.binaryAlpha = handle.typed<BinaryAlpha>();
  if (matches(op, {Kind::Tensor})) op.unary = handle.typed<Unary>();
  if (matches(op, {Kind::Tensor, Kind::Scalar})) op.withScalar = handle.typed<WithScalar>();
  return op;
}

// resolve(name, overload) → operator number, valid in this environment
napi_value resolve(Call& call) {
  c10::OperatorName name(call.string(call.arguments[0]), call.string(call.arguments[1]));
  auto handle = c10::Dispatcher::singleton().findSchema(name);
  if (!handle) throw std::runtime_error("libtorch has no operator " + toString(name));
  std::lock_guard<std::mutex> lock(operatorsMutex);
  auto found = operators.find(name);
  if (found == operators.end()) found = operators.emplace(name, describe(*handle)).first;
  call.environment.operators.push_back(&found->second);
  return call.result(static_cast<int32_t>(call.environment.operators.size() - 1));
}

const Operator& operatorAt(const Call& call) {
  int32_t index = call.int32(call.arguments[0]);
  const auto& known = call.environment.operators;
  if (index < 0 || index >= static_cast<int32_t>(known.size())) throw std::out_of_range("no such operator");
  return *known[index];
}

// schema(operator) → the dispatcher's own declaration
napi_value schema(Call& call) {
  std::ostringstream text;
  text << operatorAt(call).handle.schema();
  return call.result(text.str());
}

c10::IValue read(const Call& call, napi_value value, Kind kind) {
  switch (kind) {
    case Kind::Tensor: return call.tensor(value);
    case Kind::Tensors: return call.tensors(value);
    case Kind::OptionalTensors: {
      c10::List<std::optional<at::Tensor>> list;
      for (int64_t slot : call.int64s(value))
        list.push_back(slot < 0 ? std::optional<at::Tensor>() : std::optional(call.environment.get(slot)));
      return list;
    }
    case Kind::Int:
      return call.type(value) == napi_boolean ? int64_t{call.boolean(value)} : call.int64(value);
    case Kind::Ints: return call.int64s(value);
    case Kind::Float: return call.number(value);
    case Kind::Floats: return call.list<double>(value, [&](napi_value element) { return call.number(element); });
    case Kind::Bool: return call.boolean(value);
    case Kind::Bools: return call.list<bool>(value, [&](napi_value element) { return call.boolean(element); });
    case Kind::String: return call.string(value);
    case Kind::Scalar: return call.scalar(value);
    case Kind::Scalars:
      return c10::IValue(call.list<at::Scalar>(value, [&](napi_value element) { return call.scalar(element); }));
    case Kind::Device: return c10::Device(call.string(value));
    case Kind::Generator: return generatorOf(call, value);
    case Kind::Other: break;
  }
  throw std::invalid_argument("an argument of this type cannot be passed from JavaScript");
}

napi_value write(const Call& call, const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().defined() ? call.slot(value.toTensor()) : call.result(int32_t{-1});
  if (value.isTensorList()) return call.slots(value.toTensorVector());
  if (value.isInt()) return call.result(static_cast<double>(value.toInt()));
  if (value.isDouble()) return call.result(value.toDouble());
  if (value.isBool()) return call.result(value.toBool());
  return call.undefined();
}

bool callUnboxed(Call& call, const Operator& op, napi_value* result) {
  size_t given = call.count - 1;
  const napi_value* arguments = call.arguments + 1;
  if (op.binaryAlpha && (given == 2 || given == 3)) {
    // Copies, since emptying collected slots below may drop the table's own references.
    at::Tensor left = call.tensor(arguments[0]), right = call.tensor(arguments[1]);
    at::Scalar alpha = call.missing(3) ? at::Scalar(1) : call.scalar(arguments[2]);
    call.environment.releaseDead();
    *result = call.slot(op.binaryAlpha->call(left, right, alpha));
    return true;
  }
  if (op.binary && given == 2) {
    at::Tensor left = call.tensor(arguments[0]), right = call.tensor(arguments[1]);
    call.environment.releaseDead();
    *result = call.slot(op.binary->call(left, right));
    return true;
  }
  if (op.unary && given == 1) {
    at::Tensor operand = call.tensor(arguments[0]);
    call.environment.releaseDead();
    *result = call.slot(op.unary->call(operand));
    return true;
  }
  if (op.withScalar && given == 2) {
    at::Tensor operand = call.tensor(arguments[0]);
    at::Scalar scalar = call.scalar(arguments[1]);
    call.environment.releaseDead();
    *result = call.slot(op.withScalar->call(operand, scalar));
    return true;
  }
  return false;
}

// call(operator, ...arguments) → slot, slots or number; several results come as an array
napi_value callOperator(Call& call) {
  const Operator& op = operatorAt(call);
  napi_value result;
  if (callUnboxed(call, op, &result)) return result;

  const auto& schema = op.handle.schema();
  if (call.count - 1 > op.parameters.size())
    throw std::invalid_argument("takes at most " + std::to_string(op.parameters.size()) + " arguments");
  torch::jit::Stack stack;
  stack.reserve(std::max(op.parameters.size(), op.fresh.size()));
  for (size_t i = 0; i < op.parameters.size(); ++i) {
    const Parameter& parameter = op.parameters[i];
    if (call.missing(i + 1)) {
      const auto& fallback = schema.arguments()[i].default_value();
      if (fallback) stack.push_back(*fallback);
      else if (parameter.optional) stack.emplace_back();
      else throw std::invalid_argument("argument \"" + parameter.name + "\" is missing");
      continue;
    }
    try {
      stack.push_back(read(call, call.arguments[i + 1], parameter.kind));
    } catch (const std::exception& error) {
      throw std::invalid_argument("argument \"" + parameter.name + "\": " + messageOf(error));
    }
  }
  call.environment.releaseDead();
  op.handle.callBoxed(stack);

  if (stack.empty()) return call.undefined();
  if (stack.size() == 1) return op.fresh[0] ? write(call, stack[0]) : call.undefined();
  napi_create_array_with_length(call.env, stack.size(), &result);
  for (size_t i = 0; i < stack.size(); ++i) napi_set_element(call.env, result, i, write(call, stack[i]));
  return result;
}

}  // namespace

void defineDispatch(napi_env env, napi_value exports) {
  define<resolve>(env, exports, "resolve");
  define<schema>(env, exports, "schema");
  define<callOperator>(env, exports, "call");
}

}  // namespace llava
