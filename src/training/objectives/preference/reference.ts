import { type PretrainedLlava, withAdaptersOff } from "../../../pretrained/index.ts";
import { keep, scope, type Tensor } from "../../../torch/index.ts";
import type { AsReference } from "./objective.ts";

/** The model without its adapters. */
export const adaptersOff =
  ({ model }: PretrainedLlava): AsReference =>
  (body) =>
    withAdaptersOff(model, body);

/** A frozen copy of the weights that learn, which takes their place; all others are shared. */
export class FrozenCopy implements Disposable {
  readonly #model: PretrainedLlava["model"];
  readonly #values: ReadonlyMap<string, Tensor>;

  constructor({ model }: PretrainedLlava) {
    this.#model = model;
    const learning = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
    // Marked as what learns is, for it is then computed in the same type.
    const copy = (weight: Tensor): Tensor => keep(weight.detach().clone().requiresGrad_());
    this.#values = new Map(scope(() => learning.map(([name, weight]) => [name, copy(weight)] as const)));
  }

  readonly run: AsReference = (body) => {
    const learning = new Map<string, Tensor>();
    try {
      for (const [name, value] of this.#values)
        learning.set(name, this.#model.exchangeParameter(name, value));
      return body();
    } finally {
      for (const [name, weight] of learning) this.#model.exchangeParameter(name, weight);
    }
  };

  [Symbol.dispose](): void {
    for (const value of this.#values.values()) value.dispose();
  }
}
