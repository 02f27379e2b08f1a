import { bind, type OperatorOf } from "./operator.ts";

/**
 * The libtorch operators that this project uses. The strings are libtorch's own declarations (without alias marks and
 * keyword-only stars; integer and dtype types simplified); a test holds each against the dispatcher.
 */
export const schemas = {
  // elementwise
  add: "add.Tensor(Tensor self, Tensor other, Scalar alpha=1) -> Tensor",
  addScalar: "add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor",
  add_: "add_.Tensor(Tensor self, Tensor other, Scalar alpha=1) -> Tensor!",
  sub: "sub.Tensor(Tensor self, Tensor other, Scalar alpha=1) -> Tensor",
  subScalar: "sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor",
  mul: "mul.Tensor(Tensor self, Tensor other) -> Tensor",
  mulScalar: "mul.Scalar(Tensor self, Scalar other) -> Tensor",
  mul_: "mul_.Tensor(Tensor self, Tensor other) -> Tensor!",
  mulScalar_: "mul_.Scalar(Tensor self, Scalar other) -> Tensor!",
  div: "div.Tensor(Tensor self, Tensor other) -> Tensor",
  divScalar: "div.Scalar(Tensor self, Scalar other) -> Tensor",
  neg: "neg(Tensor self) -> Tensor",
  exp: "exp(Tensor self) -> Tensor",
  log: "log(Tensor self) -> Tensor",
  sqrt: "sqrt(Tensor self) -> Tensor",
  abs: "abs(Tensor self) -> Tensor",
  round: "round(Tensor self) -> Tensor",
  sin: "sin(Tensor self) -> Tensor",
  cos: "cos(Tensor self) -> Tensor",
  sigmoid: "llava::sigmoid(Tensor self) -> Tensor",
  logSigmoid: "log_sigmoid(Tensor self) -> Tensor",
  powScalar: "pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor",
  clamp: "clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor",
  maskedFill: "masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor",
  bitwiseAnd: "bitwise_and.Scalar(Tensor self, Scalar other) -> Tensor",
  rightShift: "bitwise_right_shift.Tensor_Scalar(Tensor self, Scalar other) -> Tensor",
  leftShift: "bitwise_left_shift.Tensor_Scalar(Tensor self, Scalar other) -> Tensor",
  logicalNot: "logical_not(Tensor self) -> Tensor",
  eq: "eq.Tensor(Tensor self, Tensor other) -> Tensor",
  eqScalar: "eq.Scalar(Tensor self, Scalar other) -> Tensor",
  le: "le.Tensor(Tensor self, Tensor other) -> Tensor",
  gtScalar: "gt.Scalar(Tensor self, Scalar other) -> Tensor",

  // shape
  reshape: "reshape(Tensor self, int[] shape) -> Tensor",
  view: "view(Tensor self, int[] size) -> Tensor",
  viewDtype: "view.dtype(Tensor self, DType dtype) -> Tensor",
  permute: "permute(Tensor self, int[] dims) -> Tensor",
  transpose: "transpose.int(Tensor self, int dim0, int dim1) -> Tensor",
  unsqueeze: "unsqueeze(Tensor self, int dim) -> Tensor",
  squeeze: "squeeze.dim(Tensor self, int dim) -> Tensor",
  expand: "expand(Tensor self, int[] size, bool implicit=False) -> Tensor",
  flatten: "flatten.using_ints(Tensor self, int start_dim=0, int end_dim=-1) -> Tensor",
  contiguous: "contiguous(Tensor self, int memory_format=contiguous_format) -> Tensor",
  slice: "slice.Tensor(Tensor self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor",
  select: "select.int(Tensor self, int dim, int index) -> Tensor",
  splitSizes: "split_with_sizes(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]",
  chunk: "chunk(Tensor self, int chunks, int dim=0) -> Tensor[]",
  cat: "cat(Tensor[] tensors, int dim=0) -> Tensor",
  stack: "stack(Tensor[] tensors, int dim=0) -> Tensor",
  constantPad: "constant_pad_nd(Tensor self, int[] pad, Scalar value=0) -> Tensor",
  asStrided: "as_strided(Tensor self, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
  flip: "flip(Tensor self, int[] dims) -> Tensor",
  roll: "roll(Tensor self, int[] shifts, int[] dims=[]) -> Tensor",

  // indexing
  equal: "equal(Tensor self, Tensor other) -> bool",
  indexSelect: "index_select(Tensor self, int dim, Tensor index) -> Tensor",
  indexCopy_: "index_copy_(Tensor self, int dim, Tensor index, Tensor source) -> Tensor!",
  indexCopy: "index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
  embedding:
    "embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
  nonzero: "nonzero(Tensor self) -> Tensor",
  topk: "topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor, Tensor)",
  argmax: "argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",

  // reductions
  sum: "sum(Tensor self, DType? dtype=None) -> Tensor",
  sumDims: "sum.dim_IntList(Tensor self, int[]? dim, bool keepdim=False, DType? dtype=None) -> Tensor",
  mean: "mean(Tensor self, DType? dtype=None) -> Tensor",
  meanDims: "mean.dim(Tensor self, int[]? dim, bool keepdim=False, DType? dtype=None) -> Tensor",
  amax: "amax(Tensor self, int[] dim=[], bool keepdim=False) -> Tensor",

  // linear algebra and layers
  matmul: "matmul(Tensor self, Tensor other) -> Tensor",
  product: "llava::matmul(Tensor self, Tensor other) -> Tensor",
  linear: "llava::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
  linearOfRows: "llava::linear_of_rows(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
  multipliesRowsApart: "llava::multiplies_rows_apart(Tensor input) -> bool",
  panelsOf: "llava::panels_of(Tensor[] weights) -> Tensor[]",
  linearsOfPanels:
    "llava::linears_of_panels(Tensor input, Tensor[] panels, int[] outputs, Tensor[] biases) -> Tensor[]",
  rowsOfPanels: "llava::rows_of_panels(Tensor panels, Tensor outputs, int width, DType dtype) -> Tensor",
  hugeEmpty: "llava::huge_empty(int[] size, DType dtype) -> Tensor",
  attendPages:
    "llava::attend_pages(Tensor query, Tensor key, Tensor value, Tensor? cos, Tensor? sin, Tensor[] slabs, Tensor tables, Tensor places, int layer) -> Tensor",
  quantizedLinear:
    "llava::quantized_linear(Tensor input, Tensor blocks, str type, Tensor? bias=None) -> Tensor",
  quantize: "llava::quantize(Tensor values, str type) -> Tensor",
  dequantize: "llava::dequantize(Tensor blocks, str type, DType dtype) -> Tensor",
  conv2d:
    "llava::conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[] stride=1, int[] padding=0, int[] dilation=1, int groups=1) -> Tensor",
  batchNorm:
    "batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor",
  layerNorm:
    "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor",
  likeliest: "llava::likeliest(Tensor rows) -> Tensor",
  rmsNorm: "llava::rms_norm(Tensor input, Tensor weight, float eps) -> Tensor",
  addRmsNorm: "llava::add_rms_norm(Tensor input, Tensor other, Tensor weight, float eps) -> Tensor[]",
  gatedSilu: "llava::gated_silu(Tensor gate, Tensor up) -> Tensor",
  rotate: "llava::rotate(Tensor x, Tensor cos, Tensor sin) -> Tensor",
  softmax: "softmax.int(Tensor self, int dim, DType? dtype=None) -> Tensor",
  logSoftmax: "log_softmax.int(Tensor self, int dim, DType? dtype=None) -> Tensor",
  relu: "relu(Tensor self) -> Tensor",
  silu: "llava::silu(Tensor self) -> Tensor",
  gelu: "llava::gelu(Tensor self, str approximate='none') -> Tensor",
  hardtanh: "hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor",
  avgPool2d:
    "avg_pool2d(Tensor self, int[] kernel_size, int[] stride=[], int[] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
  maxPool2d:
    "max_pool2d(Tensor self, int[] kernel_size, int[] stride=[], int[] padding=0, int[] dilation=1, bool ceil_mode=False) -> Tensor",
  upsampleBilinear2d:
    "upsample_bilinear2d(Tensor self, int[] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor",
  adaptiveAvgPool2d: "adaptive_avg_pool2d(Tensor self, int[] output_size) -> Tensor",
  flashAttention:
    "_flash_attention_forward(Tensor query, Tensor key, Tensor value, Tensor? cum_seq_q, Tensor? cum_seq_k, int max_q, int max_k, float dropout_p, bool is_causal, bool return_debug_mask, float? scale=None) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
  scaledDotProductAttention:
    "llava::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, float? scale=None, bool enable_gqa=False) -> Tensor",
  crossEntropy:
    "cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean, int ignore_index=-100, float label_smoothing=0.0) -> Tensor",

  // making and moving
  empty:
    "empty.memory_format(int[] size, DType? dtype=None, int? layout=None, Device? device=None) -> Tensor",
  full: "full(int[] size, Scalar fill_value, DType? dtype=None, int? layout=None, Device? device=None) -> Tensor",
  arange:
    "arange.start_step(Scalar start, Scalar end, Scalar step=1, DType? dtype=None, int? layout=None, Device? device=None) -> Tensor",
  randn:
    "randn.generator(int[] size, Generator? generator, DType? dtype=None, int? layout=None, Device? device=None) -> Tensor",
  toDtype: "to.dtype(Tensor self, DType dtype, bool non_blocking=False, bool copy=False) -> Tensor",
  toDevice:
    "to.device(Tensor self, Device device, DType dtype, bool non_blocking=False, bool copy=False) -> Tensor",
  clone: "clone(Tensor self) -> Tensor",
  detach: "detach(Tensor self) -> Tensor",
  copy_: "copy_(Tensor self, Tensor src, bool non_blocking=False) -> Tensor!",
  fill_: "fill_.Scalar(Tensor self, Scalar value) -> Tensor!",
  zero_: "zero_(Tensor self) -> Tensor!",
  uniform_: "uniform_(Tensor self, float from=0, float to=1, Generator? generator=None) -> Tensor!",
  bernoulli_: "bernoulli_.float(Tensor self, float p=0.5, Generator? generator=None) -> Tensor!",

  // optimisation, over lists of tensors at once
  fusedAdamW_:
    "_fused_adamw_(Tensor[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, Tensor[] max_exp_avg_sqs, Tensor[] state_steps, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()",
  foreachNorm: "_foreach_norm.Scalar(Tensor[] self, Scalar ord=2, DType? dtype=None) -> Tensor[]",
  foreachMulTensor_: "_foreach_mul_.Tensor(Tensor[] self, Tensor other) -> ()",
  foreachAdd_: "_foreach_add_.Scalar(Tensor[] self, Scalar scalar) -> ()",

  // between processes; each result is to be waited for, once
  allReduceMany_:
    "_c10d_functional::all_reduce_coalesced_(Tensor[] inputs, str reduce_op, str group_name) -> ()",
  allGatherInto:
    "_c10d_functional::all_gather_into_tensor_out(Tensor input, int group_size, str group_name, Tensor out) -> ()",
  reduceScatter:
    "_c10d_functional::reduce_scatter_tensor(Tensor input, str reduce_op, int group_size, str group_name) -> Tensor",
  waitTensor: "_c10d_functional::wait_tensor(Tensor tensor) -> Tensor",
} as const;

/** The operators, one function each, typed by their schemas over the class `T` of tensors. */
export type Operators<T> = { readonly [Name in keyof typeof schemas]: OperatorOf<T, (typeof schemas)[Name]> };

/** Binds all of them. */
export const operators = <T>(): Operators<T> =>
  Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, bind(schema)]),
  ) as unknown as Operators<T>;
