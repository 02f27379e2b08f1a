// Layers whose rows libtorch passes over many times in memory, operator by operator: here a row is read once. What a row
// becomes depends on no other row. Where gradients are recorded, and elsewhere than on CPUs, they are libtorch's operators.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "activations.h"
#include "elements.h"
#include "lanes.h"
#include "recording.h"
#include "threads.h"
#include "turn.h"

namespace llava {
namespace {

// Below so many elements a thread costs more than it saves.
constexpr int64_t kGrain = 1 << 14, kGatedGrain = 1 << 11;

// Whether tensors of one type, of which none learns, can be computed in lanes.
bool hasLanesFor(const at::Tensor& tensor, at::ArrayRef<at::Tensor> others) {
  const auto type = tensor.scalar_type();
  const bool isAlike = std::all_of(others.begin(), others.end(), [&](const at::Tensor& other) {
    return other.is_cpu() && other.scalar_type() == type && !isRecorded(other);
  });
  return isAlike && hasLanes() && tensor.is_cpu() && !isRecorded(tensor) &&
         isElement(type);
}

template <typename Element>
LLAVA_LANES_TARGET void addRow(const Element* from, const Element* other, int64_t width, Element* to) {
  int64_t k = 0;
  for (; k + 8 <= width; k += 8) store(to + k, plus(load(from + k), load(other + k)));
  for (; k < width; ++k) to[k] = static_cast<Element>(static_cast<float>(from[k]) + static_cast<float>(other[k]));
}

// A row divided by the root of its mean square, and scaled.
template <typename Element>
LLAVA_LANES_TARGET void normRow(const Element* from, const Element* weight, int64_t width, float epsilon, Element* to) {
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

// Only inference has a norm of its own: its sums have another order than libtorch's, and a learner's passes that record gradients
// must be those that do not, to the bit.
bool isNormApart(const at::Tensor& input, const at::Tensor& weight) {
  if (!c10::InferenceMode::is_enabled() || !hasLanesFor(input, {weight}) || input.numel() == 0) return false;
  TORCH_CHECK(weight.dim() == 1 && input.dim() > 0 && input.size(-1) == weight.numel(), "expected [..., n] and [n], got ",
              input.sizes(), " and ", weight.sizes());
  return true;
}

// Calls work(row) for rows of a width.
template <typename Work>
void eachRow(const at::Tensor& rows, int64_t width, const Work& work) {
  inParallel(rows.numel() / width, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) work(row);
  });
}

// x / √(mean(x²) + ε) · w over the last dimension, in float32 between.
at::Tensor rmsNorm(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
  if (!isNormApart(input, weight)) return at::rms_norm(input, weight.sizes(), weight, epsilon);
  const int64_t width = weight.numel();
  const at::Tensor rows = input.contiguous(), scale = weight.contiguous(), output = at::empty_like(rows);
  withElement(input.scalar_type(), [&]<typename Element>(Element) {
    const Element* from = rows.const_data_ptr<Element>();
    const Element* by = scale.const_data_ptr<Element>();
    Element* to = output.mutable_data_ptr<Element>();
    eachRow(rows, width, [&](int64_t row) {
      normRow(from + row * width, by, width, static_cast<float>(epsilon), to + row * width);
    });
  });
  return output;
}

// input + other, and the norm of it.
std::vector<at::Tensor> addRmsNorm(const at::Tensor& input, const at::Tensor& other, const at::Tensor& weight, double epsilon) {
  if (!isNormApart(input, weight) || !hasLanesFor(input, {other}) || input.sizes() != other.sizes()) {
    const at::Tensor sum = input.add(other);
    return {sum, rmsNorm(sum, weight, epsilon)};
  }
  const int64_t width = weight.numel();
  const at::Tensor rows = input.contiguous(), others = other.contiguous(), scale = weight.contiguous();
  const at::Tensor sum = at::empty_like(rows), output = at::empty_like(rows);
  withElement(input.scalar_type(), [&]<typename Element>(Element) {
    const Element* from = rows.const_data_ptr<Element>();
    const Element* more = others.const_data_ptr<Element>();
    const Element* by = scale.const_data_ptr<Element>();
    Element* both = sum.mutable_data_ptr<Element>();
    Element* to = output.mutable_data_ptr<Element>();
    eachRow(rows, width, [&](int64_t row) {
      addRow(from + row * width, more + row * width, width, both + row * width);
      normRow(both + row * width, by, width, static_cast<float>(epsilon), to + row * width);
    });
  });
  return {sum, output};
}

template <typename Element>
LLAVA_LANES Lanes gatedLanes(Lanes gate, Lanes up) {
  const Lanes power = exponential(smaller(gate, minus(splat(0), gate)));  // e^−|x|
  const Lanes sigmoid = over(chosenBelow(gate, 0, power, splat(1)), plus(splat(1), power));
  return times(rounded<Element>(times(gate, sigmoid)), up);
}

template <typename Element>
LLAVA_LANES_TARGET void gateRow(const Element* gate, const Element* up, int64_t count, Element* to) {
  int64_t k = 0;
  for (; k + 8 <= count; k += 8) store(to + k, gatedLanes<Element>(load(gate + k), load(up + k)));
  if (k == count) return;
  Element rest[3][8] = {};
  std::copy(gate + k, gate + count, rest[0]);
  std::copy(up + k, up + count, rest[1]);
  store(rest[2], gatedLanes<Element>(load(rest[0]), load(rest[1])));
  std::copy_n(rest[2], count - k, to + k);
}

// silu(gate) · up, in float32 between; only inference has it, as the norm.
at::Tensor gatedSilu(const at::Tensor& gate, const at::Tensor& up) {
  const bool isApart = c10::InferenceMode::is_enabled() && hasLanesFor(gate, {up}) && gate.sizes() == up.sizes();
  if (!isApart) return llava::silu(gate).mul(up);
  const at::Tensor gates = gate.contiguous(), ups = up.contiguous(), output = at::empty_like(gates);
  withElement(gate.scalar_type(), [&]<typename Element>(Element) {
    inParallel((gates.numel() + 7) / 8, kGatedGrain / 8, [&](int64_t begin, int64_t end) {
      const int64_t first = begin * 8, count = std::min(end * 8, gates.numel()) - first;
      gateRow(gates.const_data_ptr<Element>() + first, ups.const_data_ptr<Element>() + first, count,
              output.mutable_data_ptr<Element>() + first);
    });
  });
  return output;
}

}  // namespace

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

namespace {

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("rms_norm(Tensor input, Tensor weight, float eps) -> Tensor", rmsNorm);
  library.def("add_rms_norm(Tensor input, Tensor other, Tensor weight, float eps) -> Tensor[]", addRmsNorm);
  library.def("gated_silu(Tensor gate, Tensor up) -> Tensor", gatedSilu);
  library.def("rotate(Tensor x, Tensor cos, Tensor sin) -> Tensor", rotate);
}

}  // namespace
}  // namespace llava
