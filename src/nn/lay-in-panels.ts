import { aten, byteWidth, type DType, releasePages, type Tensor } from "../torch/index.ts";
import { Embedding, Linear } from "./layers.ts";
import type { Module } from "./module.ts";
import { PanelEmbedding, PanelLinear, type Panels } from "./panel-linear.ts";

/** Bytes of weights whose panels share a piece of memory, at least: pages of 2 MiB are filled by them. */
const TOGETHER = 32 << 20;

/**
 * Lays the weights of a model's linear layers in panels (see `PanelLinear`), some of them at a time, so that no second copy of the
 * model is ever alive. Left as they are: weights of another type than `dtype`, those in blocks or 8 bits, and those with adapters.
 * @param isTied whether tables of rows give scores as well
 */
export function layInPanels(model: Module, { dtype, isTied }: { dtype: DType; isTied: boolean }): void {
  const modules = new Map<string, Module[]>();
  for (const [path, module] of model.namedModules())
    modules.set(path, [...(modules.get(path) ?? []), module]);
  let waiting: [path: string, module: Linear | Embedding][] = [];
  let bytes = 0;
  const lay = () => {
    const weights = waiting.map(([, { weight }]) => weight);
    const panels = weights.length === 0 ? [] : aten.panelsOf(weights);
    for (const [i, [path, module]] of waiting.entries()) {
      model.replace(path, inPanels(module, { panels: panels[i]!, dtype }));
      releasePages(module.weight);
      module.weight.dispose();
    }
    waiting = [];
    bytes = 0;
  };
  for (const [path, [module, ...others]] of modules) {
    const isPlain = module?.constructor === Linear || (isTied && module?.constructor === Embedding);
    if (others.length > 0 || !isPlain) continue;
    const { weight } = module as Linear | Embedding;
    if (!isLaid(weight, dtype)) continue;
    waiting.push([path, module as Linear | Embedding]);
    bytes += weight.elements * byteWidth[dtype];
    if (bytes >= TOGETHER) lay();
  }
  lay();
}

const isLaid = (weight: Tensor, dtype: DType): boolean =>
  weight.device === "cpu" &&
  weight.dtype === dtype &&
  !weight.requiresGrad &&
  aten.multipliesRowsApart(weight);

const inPanels = (module: Linear | Embedding, panels: Panels): Module =>
  module instanceof Linear ? new PanelLinear(module, panels) : new PanelEmbedding(module, panels);
