// A head's numbers turned by the angles of its position (RoFormer, arXiv 2104.09864): number i together with i + d/2.
#pragma once

#include <ATen/ATen.h>

#include "lanes.h"

namespace llava {

// x [B, H, T, d] turned by angles whose cosines and sines are [1 or B, 1, T, d].
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

namespace {

template <typename Element>
LLAVA_LANES Lanes turned(Lanes x, const Element* wave) {
  return rounded<Element>(times(x, load(wave)));
}

// One head's 2 · half numbers; rounded after each operation, as libtorch's operators would.
template <typename Element>
LLAVA_LANES_TARGET void turn(const Element* from, const Element* cos, const Element* sin, int64_t half, Element* to) {
  const auto both = [](float product, float other, float sign) {
    return static_cast<Element>(static_cast<float>(static_cast<Element>(product)) +
                                sign * static_cast<float>(static_cast<Element>(other)));
  };
  int64_t k = 0;
  for (; k + 8 <= half; k += 8) {
    const Lanes first = load(from + k), second = load(from + half + k);
    store(to + k, minus(turned(first, cos + k), turned(second, sin + k)));
    store(to + half + k, plus(turned(second, cos + half + k), turned(first, sin + half + k)));
  }
  for (; k < half; ++k) {
    const float first = from[k], second = from[half + k];
    to[k] = both(first * static_cast<float>(cos[k]), second * static_cast<float>(sin[k]), -1);
    to[half + k] = both(second * static_cast<float>(cos[half + k]), first * static_cast<float>(sin[half + k]), 1);
  }
}

}  // namespace
}  // namespace llava
