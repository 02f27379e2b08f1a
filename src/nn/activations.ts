import { aten, type Tensor } from "../torch/index.ts";

/** Activations by the names of configuration files. */
export const activations = {
  gelu: (x: Tensor) => aten.gelu(x, "none"),
  gelu_tanh: (x: Tensor) => aten.gelu(x, "tanh"),
  /** x·σ(1.702x): what the original CLIP was trained with. */
  quick_gelu: (x: Tensor) => x.mul(x.mul(1.702).sigmoid()),
  silu: (x: Tensor) => aten.silu(x),
  relu: (x: Tensor) => aten.relu(x),
} as const;

/** What a gate lets through of something: its activation times it. */
export const gated = (activation: keyof typeof activations, gate: Tensor, through: Tensor): Tensor =>
  activation === "silu" ? aten.gatedSilu(gate, through) : activations[activation](gate).mul(through);
