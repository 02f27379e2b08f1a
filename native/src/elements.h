// The types of elements that the kernels of lanes compute.
#pragma once

#include <ATen/ATen.h>

namespace llava {

inline bool isElement(at::ScalarType type) { return type == at::kFloat || type == at::kBFloat16 || type == at::kHalf; }

// Calls work(Element{}) with an element of the type. Returns whether there is one.
template <typename Work>
bool withElement(at::ScalarType type, const Work& work) {
  if (type == at::kFloat) work(float{});
  if (type == at::kBFloat16) work(at::BFloat16{});
  if (type == at::kHalf) work(at::Half{});
  return isElement(type);
}

}  // namespace llava
