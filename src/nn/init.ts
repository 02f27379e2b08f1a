import { aten, empty, type Generator } from "../torch/index.ts";
import type { Linear } from "./layers.ts";

/** Fresh weights for a linear layer: uniform in ±1/√in for weight and bias, PyTorch's default. */
export function initializeLinear(layer: Linear, generator: Generator): void {
  const [out, width] = layer.weight.shape as [number, number];
  const bound = 1 / Math.sqrt(width);
  layer.setParameter("weight", aten.uniform_(empty([out, width]), -bound, bound, generator));
  if (layer.bias !== undefined)
    layer.setParameter("bias", aten.uniform_(empty([out]), -bound, bound, generator));
}
