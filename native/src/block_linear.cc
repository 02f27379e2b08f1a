// llava::quantized_linear multiplies activations by weights in blocks as they lie in a GGUF file:
// - rows are rounded to 8 bits and multiplied in whole numbers, so that the weights are read once and never widened;
// - those whose gradients are recorded, and many where the processor multiplies bfloat16, are multiplied by libtorch in floating
//   point, by tiles of the weight, decoded one after another.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

#include "blocks.h"
#include "processor.h"
#include "row_pieces.h"
#include "threads.h"
#include "tiled_product.h"

namespace llava {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// From this many rows on decoding costs less than what libtorch's products gain: never where it has to multiply float32, which
// takes longer than whole numbers.
int64_t fewestDecodedRows() {
  const bool isWhole = !multipliesBfloat16() && &blockKernels() != &kPlainKernels;
  return isWhole ? std::numeric_limits<int64_t>::max() : 32;
}
// Elements decoded at once for a type other than float32.
constexpr int64_t kScratchElements = 1 << 14;

// Weight rows in blocks, [rows, bytes].
struct Blocks {
  at::Tensor bytes;
  BlockType type;

  const BlockLayout& layout() const { return layoutOf(type); }
  int64_t rows() const { return bytes.size(0); }
  int64_t perRow() const { return bytes.size(1) / layout().bytes; }
  int64_t width() const { return perRow() * layout().elements; }
  const uint8_t* row(int64_t index) const { return bytes.const_data_ptr<uint8_t>() + index * bytes.size(1); }
};

BlockType typeNamed(std::string_view name) {
  for (int i = 0; i < kBlockTypes; ++i)
    if (name == kBlockLayouts[i].name) return static_cast<BlockType>(i);
  TORCH_CHECK(false, "there are no blocks of type ", std::string(name));
}

Blocks blocksOf(const at::Tensor& bytes, std::string_view name) {
  const BlockType type = typeNamed(name);
  TORCH_CHECK(bytes.is_cpu() && bytes.scalar_type() == at::kByte && bytes.dim() == 2 && bytes.is_contiguous() &&
                  bytes.size(1) % layoutOf(type).bytes == 0,
              "expected rows of ", layoutOf(type).name, " blocks as contiguous bytes on the CPU, [rows, n · ",
              layoutOf(type).bytes, "], got ", bytes.sizes(), " of ", bytes.scalar_type(), " on ", bytes.device());
  return {bytes, type};
}

// Rows start, start + 1, … into `out` [count, width].
void decodeRows(const Blocks& blocks, int64_t start, const at::Tensor& out) {
  const auto decode = blockKernels().decode[static_cast<int>(blocks.type)];
  const int64_t width = blocks.width(), rows = out.size(0), perRow = blocks.perRow();
  if (out.numel() == 0) return;
  inParallel(rows, std::max<int64_t>(1, at::internal::GRAIN_SIZE / width), [&](int64_t from, int64_t to) {
    if (out.scalar_type() == at::kFloat) {
      decode(blocks.row(start + from), (to - from) * perRow, out.mutable_data_ptr<float>() + from * width);
      return;
    }
    const at::AutoDispatchBelowADInplaceOrView guard;  // other threads are in no inference mode
    const int64_t together = std::min(to - from, std::max<int64_t>(1, kScratchElements / width));
    const at::Tensor scratch = at::empty({together, width}, at::kFloat);
    for (int64_t row = from; row < to; row += together) {
      const int64_t count = std::min(together, to - row);
      decode(blocks.row(start + row), count * perRow, scratch.mutable_data_ptr<float>());
      out.narrow(0, row, count).copy_(scratch.narrow(0, 0, count));
    }
  });
}

// The values of activations [n, width] in 8 bits, and the rows that point into them.
struct RoundedRows {
  std::vector<int8_t> values;
  std::vector<float> steps;
  std::vector<int16_t> sums;
  std::vector<RoundedRow> rows;

  RoundedRows(const at::Tensor& input, int elements) {
    const int64_t count = input.size(0), width = input.size(1), blocks = width / elements;
    values.resize(count * width);
    steps.resize(count * blocks);
    sums.resize(count * width / 16);
    for (int64_t i = 0; i < count; ++i)
      rows.push_back({values.data() + i * width, steps.data() + i * blocks, sums.data() + i * width / 16});
    inParallel(count, kFewestProducts / width + 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i)
        blockKernels().round(input.const_data_ptr<float>() + i * width, width, elements, rows[i]);
    });
  }
};

// input [n, width] in float32 → [n, rows]
at::Tensor multiplyRows(const at::Tensor& input, const Blocks& blocks) {
  const RoundedRows rounded(input, blocks.layout().elements);
  const int64_t count = input.size(0), rows = blocks.rows(), perRow = blocks.perRow();
  const auto multiply = blockKernels().multiply[static_cast<int>(blocks.type)];
  at::Tensor output = at::empty({count, rows}, input.options());
  float* out = output.mutable_data_ptr<float>();
  eachPiece(rows, blocks.bytes.size(1), count * rows * blocks.width(), [&](int64_t start, int64_t some) {
    multiply(blocks.row(start), some, perRow, rounded.rows.data(), count, out + start, rows);
  });
  return output;
}

TiledWeight decoded(const Blocks& blocks, at::ScalarType input) {
  const bool isNarrow = input == at::kBFloat16 && multipliesBfloat16();
  return {blocks.rows(), blocks.width(), isNarrow ? at::kBFloat16 : at::kFloat,
          [blocks](const at::Tensor& tile, int64_t start) { decodeRows(blocks, start, tile); }};
}

// `fewest`: the rows from which on they are multiplied in floating point.
at::Tensor forwardOf(const at::Tensor& input, const Blocks& blocks, const std::optional<at::Tensor>& bias,
                     int64_t fewest) {
  const at::Tensor rows = asRows(input);
  auto shape = input.sizes().vec();
  shape.back() = blocks.rows();
  if (rows.size(0) >= fewest)
    return tiledProduct(rows, decoded(blocks, input.scalar_type()), bias, input.scalar_type()).view(shape);
  at::Tensor output = multiplyRows(rows.to(at::kFloat).contiguous(), blocks);
  if (bias) output.add_(*bias);
  return output.to(input.scalar_type()).view(shape);
}

class QuantizedLinear : public torch::autograd::Function<QuantizedLinear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& bytes,
                            std::string_view type, const std::optional<at::Tensor>& bias) {
    context->save_for_backward({bytes});
    context->saved_data["type"] = std::string(type);
    context->saved_data["shape"] = input.sizes().vec();
    context->saved_data["dtype"] = static_cast<int64_t>(input.scalar_type());
    if (bias) context->saved_data["bias"] = static_cast<int64_t>(bias->scalar_type());
    return forwardOf(input, blocksOf(bytes, type), bias, 0);  // the product that the gradient is that of
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "a product with weights in blocks has no second derivative");
    const auto dtype = static_cast<at::ScalarType>(context->saved_data["dtype"].toInt());
    const at::Tensor gradient = asRows(gradients[0]);
    at::Tensor inputGradient, biasGradient;
    if (context->needs_input_grad(0)) {
      const Blocks blocks = blocksOf(context->get_saved_variables()[0], context->saved_data["type"].toStringRef());
      inputGradient =
          tiledInputGradient(gradient, decoded(blocks, dtype)).to(dtype).view(context->saved_data["shape"].toIntVector());
    }
    if (context->saved_data.count("bias") && context->needs_input_grad(2))  // counted among tensors
      biasGradient =
          gradient.sum(0, false, at::kFloat).to(static_cast<at::ScalarType>(context->saved_data["bias"].toInt()));
    return {inputGradient, at::Tensor(), at::Tensor(), biasGradient};
  }
};

at::Tensor quantizedLinear(const at::Tensor& input, const at::Tensor& bytes, std::string_view type,
                           const std::optional<at::Tensor>& bias) {
  const Blocks blocks = blocksOf(bytes, type);
  TORCH_CHECK(input.is_cpu() && at::isFloatingType(input.scalar_type()) && input.dim() > 0 &&
                  input.size(-1) == blocks.width(),
              "expected activations [..., ", blocks.width(), "] on the CPU, got ", input.sizes(), " of ",
              input.scalar_type(), " on ", input.device());
  const auto offset = bias && bias->defined() ? bias : std::nullopt;
  TORCH_CHECK(!offset || (offset->dim() == 1 && offset->size(0) == blocks.rows()), "expected a bias [", blocks.rows(),
              "], got ", offset ? offset->sizes() : at::IntArrayRef());
  const bool recorded =
      at::GradMode::is_enabled() && (input.requires_grad() || (offset && offset->requires_grad()));
  return recorded ? QuantizedLinear::apply(input, bytes, type, offset) : forwardOf(input, blocks, offset, fewestDecodedRows());
}

at::Tensor dequantize(const at::Tensor& bytes, std::string_view type, at::ScalarType dtype) {
  const Blocks blocks = blocksOf(bytes, type);
  at::Tensor out = at::empty({blocks.rows(), blocks.width()}, dtype);
  decodeRows(blocks, 0, out);
  return out;
}

at::Tensor quantize(const at::Tensor& values, std::string_view name) {
  const BlockType type = typeNamed(name);
  const BlockLayout& layout = layoutOf(type);
  const Encode encode = encoderOf(type);
  TORCH_CHECK(encode, "blocks of type ", layout.name, " are read, not written");
  TORCH_CHECK(values.is_cpu() && values.dim() == 2 && values.size(1) % layout.elements == 0, "expected rows of n · ",
              layout.elements, " numbers on the CPU, got ", values.sizes(), " on ", values.device());
  const int64_t rows = values.size(0), width = values.size(1), perRow = width / layout.elements;
  at::Tensor out = at::empty({rows, perRow * layout.bytes}, at::kByte);
  if (values.numel() == 0) return out;
  inParallel(rows, std::max<int64_t>(1, kScratchElements / width), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      const at::Tensor numbers = values.select(0, row).to(at::kFloat).contiguous();
      TORCH_CHECK(at::isfinite(numbers).all().item<bool>(), "row ", row, " holds numbers that are not finite");
      encode(numbers.const_data_ptr<float>(), perRow, out.mutable_data_ptr<uint8_t>() + row * perRow * layout.bytes);
    }
  });
  return out;
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def("quantized_linear(Tensor input, Tensor blocks, str type, Tensor? bias=None) -> Tensor", quantizedLinear);
  library.def("dequantize(Tensor blocks, str type, ScalarType dtype) -> Tensor", dequantize);
  library.def("quantize(Tensor values, str type) -> Tensor", quantize);
}

}  // namespace

const BlockKernels& blockKernels() {
  static const BlockKernels& kernels = []() -> const BlockKernels& {
#if defined(__x86_64__)
    const std::string capability = at::get_cpu_capability();
    if (capability.rfind("AVX512", 0) == 0 && __builtin_cpu_supports("avx512vnni") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
      return kVnniKernels;
    if (capability != "DEFAULT") return kAvx2Kernels;
#endif
    return kPlainKernels;
  }();
  return kernels;
}

}  // namespace llava
