#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>

#include "call.h"

namespace llava {
namespace {

std::vector<at::Tensor> gradientsOf(const Call& call, size_t i) {
  return call.missing(i) ? std::vector<at::Tensor>{} : call.tensors(call.arguments[i]);
}

// backward(outputs, outputGradients | undefined, retainGraph)
napi_value backward(Call& call) {
  auto outputs = call.tensors(call.arguments[0]);
  auto gradients = gradientsOf(call, 1);
  call.environment.releaseDead();
  torch::autograd::backward(outputs, gradients, call.boolean(call.arguments[2]));
  return call.undefined();
}

// gradientsWith(outputs, inputs, outputGradients | undefined, retainGraph, createGraph) → slots, -1 where unused
napi_value gradientsWith(Call& call) {
  auto outputs = call.tensors(call.arguments[0]);
  auto inputs = call.tensors(call.arguments[1]);
  auto gradients = gradientsOf(call, 2);
  call.environment.releaseDead();
  auto results = torch::autograd::grad(outputs, inputs, gradients, call.boolean(call.arguments[3]),
                                       call.boolean(call.arguments[4]), /*allow_unused=*/true);
  return call.slots(results);
}

napi_value gradient(Call& call) {
  const at::Tensor& gradient = call.tensor(call.arguments[0]).grad();
  return gradient.defined() ? call.slot(gradient) : call.result(int32_t{-1});
}

// setGradient(slot, slot | -1)
napi_value setGradient(Call& call) {
  const at::Tensor& tensor = call.tensor(call.arguments[0]);
  int32_t value = call.int32(call.arguments[1]);
  if (value < 0) {
    tensor.mutable_grad().reset();
    return call.undefined();
  }
  const at::Tensor& gradient = call.environment.get(value);
  TORCH_CHECK_VALUE(!gradient.is_same(tensor), "a tensor cannot be its own gradient");
  TORCH_CHECK_VALUE(gradient.sizes() == tensor.sizes() && gradient.scalar_type() == tensor.scalar_type() &&
                        gradient.device() == tensor.device(),
                    "the gradient is ", gradient.scalar_type(), " ", gradient.sizes(), " on ", gradient.device(),
                    ", the tensor ", tensor.scalar_type(), " ", tensor.sizes(), " on ", tensor.device());
  tensor.mutable_grad() = gradient;
  return call.undefined();
}

napi_value requiresGrad(Call& call) { return call.result(call.tensor(call.arguments[0]).requires_grad()); }

napi_value setRequiresGrad(Call& call) {
  call.tensor(call.arguments[0]).set_requires_grad(call.boolean(call.arguments[1]));
  return call.undefined();
}

// setGradMode(enabled) → what it was. Grad mode is a property of the calling thread.
napi_value setGradMode(Call& call) {
  bool previous = at::GradMode::is_enabled();
  at::GradMode::set_enabled(call.boolean(call.arguments[0]));
  return call.result(previous);
}

thread_local std::vector<std::unique_ptr<c10::InferenceMode>> inferenceGuards;

napi_value enterInference(Call& call) {
  inferenceGuards.push_back(std::make_unique<c10::InferenceMode>());
  return call.undefined();
}

napi_value leaveInference(Call& call) {
  if (!inferenceGuards.empty()) inferenceGuards.pop_back();
  return call.undefined();
}

}  // namespace

void defineAutograd(napi_env env, napi_value exports) {
  define<backward>(env, exports, "backward");
  define<gradientsWith>(env, exports, "gradientsWith");
  define<gradient>(env, exports, "gradient");
  define<setGradient>(env, exports, "setGradient");
  define<requiresGrad>(env, exports, "requiresGrad");
  define<setRequiresGrad>(env, exports, "setRequiresGrad");
  define<setGradMode>(env, exports, "setGradMode");
  define<enterInference>(env, exports, "enterInference");
  define<leaveInference>(env, exports, "leaveInference");
}

}  // namespace llava
