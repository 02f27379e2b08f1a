import { LlavaError } from "../errors.ts";
import type { Named } from "../models/index.ts";
import { AdaptedLinear, Linear, LowRankAdapter, type LowRankOptions, type Module } from "../nn/index.ts";
import { type Generator, isFloating, scope, type Tensor } from "../torch/index.ts";
import type { AdapterSize } from "./adapter-sizes.ts";

export interface LoraOptions extends LowRankOptions {
  /**
   * Linear layers to adapt: ends of paths in the language model ("q_proj"), whole paths, or a pattern over whole paths.
   * By default all of the language model but its output layer.
   */
  readonly targets?: readonly string[] | RegExp;
  /** Sizes of adapters that have others than the rest, by the paths of their layers. */
  readonly sizes?: ReadonlyMap<string, AdapterSize>;
}

const OUTSIDE = /^(?:vision_tower|multi_modal_projector)\./;
/** All but the vision tower, the projector and the vocabulary's scores. */
const DEFAULT_TARGETS = /^(?!vision_tower\.|multi_modal_projector\.)(?!(?:.*\.)?lm_head$)/;

/**
 * Puts low-rank adapters beside the linear layers of a language model or LLaVA and returns their parameters, which
 * require gradients, by PEFT's names (see `adapterParameters`). Nothing else is frozen or freed here. `generator` draws
 * the adapters' first values, and their dropout as long as they live.
 * @throws LlavaError "config" for sizes that cannot be and targets that the model lacks
 */
export function applyLora(
  model: Module & Named,
  options: LoraOptions,
  generator: Generator,
): Map<string, Tensor> {
  for (const { base, adapter } of putAdapters(model, options, generator))
    if (adapter.magnitude !== undefined) {
      scope(() => adapter.measure(base.decoded()));
      adapter.magnitude.requiresGrad_();
    }
  return adapterParameters(model);
}

/** As `applyLora`, for adapters whose values come from a file: the layers that got one. */
export function putAdapters(
  model: Module & Named,
  options: LoraOptions,
  generator: Generator,
): AdaptedLinear[] {
  const { targets = DEFAULT_TARGETS, sizes, ...lowRank } = options;
  const { rank, alpha, dropout = 0 } = lowRank;
  if (!Number.isInteger(rank) || rank < 1)
    throw new LlavaError("config", `the rank of LoRA is ${rank}; expected a whole number from 1`);
  if (!(alpha > 0 && Number.isFinite(alpha)))
    throw new LlavaError("config", `alpha of LoRA is ${alpha}; expected a number above 0`);
  if (!(dropout >= 0 && dropout < 1))
    throw new LlavaError("config", `the dropout of LoRA is ${dropout}; expected a number from 0, below 1`);
  const chosen = chosenLinears(model, targets);
  const adapted = new Map(adaptedLinears(model));
  const twice = chosen.find(([name]) => adapted.has(name));
  if (twice !== undefined)
    throw new LlavaError("usage", `${twice[0]} has an adapter already`, {
      hint: "Merge it (mergeLora) or take it off (removeLora) first.",
    });
  return scope(() =>
    chosen.map(([name, linear]) => {
      const { inFeatures, outFeatures, weight } = linear;
      const own = { ...lowRank, ...sizes?.get(name) };
      const adapter = new LowRankAdapter([outFeatures, inFeatures], own, generator);
      const adapted = new AdaptedLinear(linear, adapter.to({ device: weight.device }).requiresGrad_());
      model.replace(name, adapted);
      return adapted;
    }),
  );
}

function chosenLinears(model: Module, targets: readonly string[] | RegExp): [string, Linear][] {
  const all = [...linears(model)];
  if (targets instanceof RegExp) {
    const chosen = all.filter(([name]) => targets.test(name));
    if (chosen.length === 0) throw unknownTarget(String(targets), all);
    return chosen;
  }
  const isTarget = (name: string, target: string) =>
    name === target || (name.endsWith(`.${target}`) && !OUTSIDE.test(name));
  const missing = targets.find((target) => !all.some(([name]) => isTarget(name, target)));
  if (missing !== undefined || targets.length === 0) throw unknownTarget(`"${missing ?? ""}"`, all);
  return all.filter(([name]) => targets.some((target) => isTarget(name, target)));
}

function unknownTarget(target: string, all: readonly [string, Linear][]): LlavaError {
  const known = new Set(all.map(([name]) => name.slice(name.lastIndexOf(".") + 1)));
  return new LlavaError("config", `no linear layer of the model is ${target}, which LoRA is to adapt`, {
    hint: `Its linear layers are called ${[...known].join(", ")}.`,
  });
}

/** The linear layers of a model by their paths, within adapters too. */
export function* linears(model: Module): Iterable<[name: string, linear: Linear]> {
  for (const [name, module] of model.namedModules()) if (module instanceof Linear) yield [name, module];
}

/** The layers that have an adapter. */
export function* adaptedLinears(model: Module): Iterable<[name: string, linear: AdaptedLinear]> {
  for (const [name, module] of model.namedModules())
    if (module instanceof AdaptedLinear) yield [name, module];
}

/**
 * The adapters' parameters as PEFT's files name them: `base_model.model.<path>.lora_A.weight`, `…lora_B.weight` and, of
 * decomposed ones, `…lora_magnitude_vector`, the path being transformers' (`model.language_model.layers.0.self_attn.q_proj`; `model.layers.0.…` of a bare Llama).
 */
export function adapterParameters(model: Module & Named): Map<string, Tensor> {
  const named = new Map<string, Tensor>();
  for (const [name, { adapter }] of adaptedLinears(model))
    for (const [part, parameter] of adapter.namedParameters())
      named.set(`base_model.model.${transformersName(model, name)}.${part}`, parameter);
  return named;
}

/** The path of a part in transformers' module of the same architecture. */
export function transformersName({ paths, layout }: Named, name: string): string {
  const canonical = paths.read(name) ?? name;
  return layout.write(canonical) ?? canonical;
}

/**
 * Adds the adapters to the weights they stand beside, in float32 rounded once, and disposes of them.
 * @throws LlavaError "usage" where weights are in 8 bits
 */
export function mergeLora(model: Module): void {
  for (const [name, { weight }] of adaptedLinears(model))
    if (!isFloating(weight.dtype))
      throw new LlavaError(
        "usage",
        `${name} has its weight in 8 bits, which an adapter cannot be merged into`,
        { hint: "Save the adapter, and merge it into the model loaded with whole weights." },
      );
  scope(() => {
    for (const [, { base, adapter }] of adaptedLinears(model))
      base.setParameter("weight", adapter.mergedInto(base.weight));
  });
  removeLora(model);
}

/** Merges adapters unless weights are in few bits, which they stay beside, to be used and not trained. */
export function mergeWhereWhole(model: Module): void {
  if ([...adaptedLinears(model)].every(([, { weight }]) => isFloating(weight.dtype))) mergeLora(model);
  else for (const [, { base, adapter }] of adaptedLinears(model)) adapter.fixGain(() => base.decoded());
}

/** Runs `body` on the model as it is without its adapters, which stay. */
export function withAdaptersOff<T>(model: Module, body: () => T): T {
  const layers = [...adaptedLinears(model)].map(([, layer]) => layer);
  for (const layer of layers) layer.isOff = true;
  try {
    return body();
  } finally {
    for (const layer of layers) layer.isOff = false;
  }
}

/** Takes the adapters off and disposes of them: the model is the base again. */
export function removeLora(model: Module): void {
  for (const [name, { base, adapter }] of [...adaptedLinears(model)]) {
    model.replace(name, base);
    adapter[Symbol.dispose]();
  }
}
