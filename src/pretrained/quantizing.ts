import type { ParameterTree } from "../checkpoint/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { type Module, QuantizedLinear } from "../nn/index.ts";
import { linears } from "./lora.ts";

/**
 * A model to load into whose decoder layers are brought to 8 bits as their weights arrive, so that a whole copy of the
 * model is never alive. Embeddings, norms and the vocabulary's scores stay as loaded.
 */
export function quantizing(model: Module, { layers }: Pick<LanguageModel, "layers">): ParameterTree {
  const inLayers = new Set(layers.flatMap((layer) => [...layer.namedModules()].map(([, module]) => module)));
  const narrowed = new Map([...linears(model)].filter(([, linear]) => inLayers.has(linear)));
  return {
    namedParameters: () => model.namedParameters(),
    setParameter(name, tensor) {
      model.setParameter(name, tensor);
      const path = name.replace(/\.weight$/, "");
      const linear = narrowed.get(path);
      if (linear !== undefined && path !== name) model.replace(path, new QuantizedLinear(linear));
    },
  };
}
