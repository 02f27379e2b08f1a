import type { ParameterTree } from "../checkpoint/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { Linear, type Module } from "../nn/index.ts";

/**
 * A model to load into whose decoder layers are brought to 8 bits as their weights arrive, so that a whole copy of the
 * model is never alive. Embeddings, norms and the vocabulary's scores stay as loaded.
 */
export function quantizing(model: Module, { layers }: Pick<LanguageModel, "layers">): ParameterTree {
  const linears = new Set(layers.flatMap((layer) => [...layer.namedModules()].map(([, module]) => module)));
  const byWeight = new Map<string, Linear>();
  for (const [name, module] of model.namedModules())
    if (module instanceof Linear && linears.has(module)) byWeight.set(`${name}.weight`, module);
  return {
    namedParameters: () => model.namedParameters(),
    setParameter(name, tensor) {
      model.setParameter(name, tensor);
      byWeight.get(name)?.quantize();
    },
  };
}
