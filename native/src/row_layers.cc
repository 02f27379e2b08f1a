// Layers whose rows libtorch passes over many times in memory, operator by operator: here a row is read once. What a row
// becomes depends on no other row. Where gradients are recorded, and elsewhere than on CPUs, they are libtorch's operators.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "elements.h"
#include "lanes.h"
#include "recording.h"
#include "threads.h"

namespace llava {
namespace {

// Below so many elements a thread costs more than it saves.
constexpr int64_t kGrain = 1 << 14;

// Whether tensors of one type, of which none learns, can be computed in lanes.
bool hasLanesFor(const at::Tensor& tensor, at::ArrayRef<at::Tensor> others) {
  const auto type = tensor.scalar_type();
  const bool isAlike = std::all_of(others.begin(), others.end(), [&](const at::Tensor& other) {
    return other.is_cpu() && other.scalar_type() == type && !isRecorded(other);
  });
  return isAlike && hasLanes() && tensor.is_cpu() && !isRecorded(tensor) &&
         isElement(type);
}

// Rows [count, width] → each divided by the root of its mean square, and scaled.
template <typename Element>
LLAVA_LANES_TARGET void normRows(const Element* from, const Element* weight, int64_t count, int64_t width, float epsilon,
                                 Element* to) {
  for (; count > 0; --count, from += width, to += width) {
    Lanes squares = splat(0);
    int64_t k = 0;
    for (; k + 8 <= width; k += 8) {
      const Lanes x = load(from + k);
      squares = fused(x, x, squares);
    }
    float sum = sumOf(squares);
    for (int64_t rest = k; rest < width; ++rest) sum += static_cast<float>(from[rest]) * static_cast<float>(from[rest]);
    const float scale = 1 / std::sqrt(sum / static_cast<float>(width) + epsilon);
    for (k = 0; k + 8 <= width; k += 8) store(to + k, times(times(load(from + k), splat(scale)), load(weight + k)));
    for (; k < width; ++k) to[k] = static_cast<Element>(static_cast<float>(from[k]) * scale * static_cast<float>(weight[k]));
  }
}

// x / √(mean(x²) + ε) · w over the last dimension, in float32 between. Only inference has it: its sums have another order than
// libtorch's, and a learner's passes that record gradients must be those that do not, to the bit.
at::Tensor rmsNorm(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
  const int64_t width = weight.numel();
  const bool isApart = c10::InferenceMode::is_enabled() && hasLanesFor(input, {weight}) && input.numel() > 0;
  if (!isApart) return at::rms_norm(input, weight.sizes(), weight, epsilon);
  TORCH_CHECK(weight.dim() == 1 && input.dim() > 0 && input.size(-1) == width, "expected [..., n] and [n], got ",
              input.sizes(), " and ", weight.sizes());
  const at::Tensor rows = input.contiguous(), scale = weight.contiguous(), output = at::empty_like(rows);
  withElement(input.scalar_type(), [&]<typename Element>(Element) {
    const Element* from = rows.const_data_ptr<Element>();
    Element* to = output.mutable_data_ptr<Element>();
    inParallel(rows.numel() / width, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
      normRows(from + begin * width, scale.const_data_ptr<Element>(), end - begin, width, static_cast<float>(epsilon),
               to + begin * width);
    });
  });
  return output;
}

template <typename Element>
LLAVA_LANES Lanes turned(Lanes x, const Element* wave) {
  return rounded<Element>(times(x, load(wave)));
}

// One head's d numbers, of which i turns together with i + d/2; rounded after each operation, as libtorch's operators would.
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

// x [B, H, T, d] turned by angles whose cosines and sines are [1 or B, 1, T, d].
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const bool isRows = x.dim() == 4 && x.stride(3) == 1 && x.size(3) % 2 == 0 && cos.dim() == 4 && cos.size(1) == 1 &&
                      cos.sizes() == sin.sizes() && cos.strides() == sin.strides();
  if (!isRows || !hasLanesFor(x, {cos, sin})) {
    const auto halves = x.chunk(2, -1);
    return x.mul(cos).add(at::cat({halves[1].neg(), halves[0]}, -1).mul(sin));
  }
  const int64_t heads = x.size(1), positions = x.size(2), d = x.size(3);
  const at::Tensor cosines = cos.expand({x.size(0), 1, positions, d}), sines = sin.expand({x.size(0), 1, positions, d});
  const at::Tensor output = at::empty_like(x);
  TORCH_CHECK(cosines.stride(3) == 1 && output.stride(3) == 1, "numbers of a head lie side by side");
  const auto across = [](const at::Tensor& tensor) { return std::array{tensor.stride(0), tensor.stride(1), tensor.stride(2)}; };
  const auto ofX = across(x), ofWave = across(cosines), ofOutput = across(output);
  withElement(x.scalar_type(), [&]<typename Element>(Element) {
    const Element* from = x.const_data_ptr<Element>();
    const Element* cosine = cosines.const_data_ptr<Element>();
    const Element* sine = sines.const_data_ptr<Element>();
    Element* to = output.mutable_data_ptr<Element>();
    inParallel(x.numel() / d, std::max<int64_t>(1, kGrain / d), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t head = i % heads, position = i / heads % positions, batch = i / heads / positions;
        const auto place = [&](const auto& strides) {
          return batch * strides[0] + head * strides[1] + position * strides[2];
        };
        const int64_t wave = batch * ofWave[0] + position * ofWave[2];
        turn(from + place(ofX), cosine + wave, sine + wave, d / 2, to + place(ofOutput));
      }
    });
  });
  return output;
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("rms_norm(Tensor input, Tensor weight, float eps) -> Tensor", rmsNorm);
  library.def("rotate(Tensor x, Tensor cos, Tensor sin) -> Tensor", rotate);
}

}  // namespace
}  // namespace llava
