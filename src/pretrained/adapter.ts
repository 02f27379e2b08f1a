import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  loadStrict,
  type ParameterTree,
  renamed,
  subtree,
  type TensorSource,
  type WriteOptions,
  writeSafetensors,
} from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { makeFolder } from "../files/index.ts";
import type { Named } from "../models/index.ts";
import { LowRankAdapter, type LowRankOptions, type Module } from "../nn/index.ts";
import { Generator, noGrad, scope, type Tensor } from "../torch/index.ts";
import {
  type AdapterConfig,
  type AdapterFiles,
  adapterFolder,
  LOW_RANK,
  openAdapter,
  readAdapterConfig,
  writeAdapterConfig,
} from "./adapter-files.ts";
import { type AdapterSize, sizeOf, sizesIn } from "./adapter-sizes.ts";
import {
  adaptedLinears,
  adapterParameters,
  linears,
  putAdapters,
  removeLora,
  transformersName,
} from "./lora.ts";
import { unusedTensors } from "./unused-tensors.ts";

export interface LoadAdapterOptions {
  /** Draws dropout where the adapter is trained further. */
  readonly generator?: Generator;
  /** Its probability, instead of the adapter's own. */
  readonly dropout?: number;
  /**
   * Modules trained as a whole that are loaded: "none" where the base has been loaded with them; "others" leaves the
   * projector, with the statistics of the features that it was trained on, as it is.
   */
  readonly wholeModules?: "all" | "others" | "none";
}

/**
 * Puts an adapter of PEFT's or the original LLaVA's files beside a model's layers; modules trained as a whole take the
 * base's place. The values are copied, and those of the low-rank parts can be trained further. `place` is the adapter's
 * folder, or that of the run which trained it.
 * @throws LlavaError "checkpoint" or "config" for an adapter of another model, which is left as it was
 */
export function loadAdapter(
  model: Module & Named,
  place: string,
  { generator = new Generator(0), wholeModules = "all", ...given }: LoadAdapterOptions = {},
): AdapterConfig {
  const folder = adapterFolder(place);
  const config = readAdapterConfig(folder);
  using files = openAdapter(folder);
  const { lowRank, sizes } = adaptedLayers(model, files, config);
  const { rank, alpha, rankStabilized, decomposed } = config;
  const dropout = given.dropout ?? config.dropout;
  const shared = { rank, alpha, dropout, rankStabilized, decomposed };
  putAdapters(model, { ...shared, targets: [...sizes.keys()], sizes }, generator);
  try {
    const parameters = new Map<string, Tensor>();
    for (const [name, { adapter }] of adaptedLinears(model))
      for (const [part, parameter] of adapter.namedParameters()) parameters.set(`${name}.${part}`, parameter);
    loadStrict(copying(parameters), lowRank);
    if (wholeModules !== "none") {
      const whole = renamed(files.whole, (stored) => {
        const name = nameIn(model, stored);
        return wholeModules === "others" && PROJECTOR.test(name) ? undefined : name;
      });
      loadStrict(replacing(model, whole), whole, { ignore: unusedTensors(model) });
    }
  } catch (error) {
    removeLora(model);
    throw error;
  }
  return config;
}

/**
 * A model's weights, each with the low-rank product of an adapter's files added as it is read, for what is to be rounded to
 * few bits: `model` is the one that they will be loaded into.
 * @throws LlavaError "checkpoint" or "config" for an adapter of another model
 */
export function withAdapter(source: TensorSource, model: Module & Named, place: string): TensorSource {
  const folder = adapterFolder(place);
  const config = readAdapterConfig(folder);
  const files = openAdapter(folder);
  const { lowRank, sizes } = adaptedLayers(model, files, config);
  const sizeOfWeight = (name: string) => (/\.weight$/.test(name) ? sizes.get(name.slice(0, -7)) : undefined);
  return {
    ...source,
    blocks: (name) => (sizeOfWeight(name) === undefined ? source.blocks?.(name) : undefined),
    read: (name, dtype) =>
      scope(() => {
        const weight = source.read(name, dtype);
        const size = sizeOfWeight(name);
        if (size === undefined) return weight;
        const [out = 0, width = 0] = weight.shape;
        using generator = new Generator(0);
        using adapter = new LowRankAdapter([out, width], { ...config, ...size }, generator);
        loadStrict(adapter, subtree(lowRank, name.replace(/weight$/, "")), { dtype: "float32" });
        return adapter.mergedInto(weight);
      }),
    [Symbol.dispose]: () => {
      files[Symbol.dispose]();
      source[Symbol.dispose]();
    },
  };
}

const nameIn = (model: Named, canonical: string): string => model.paths.write(canonical) ?? canonical;

/** The low-rank tensors of a file that the model has a place for, by their names in it. */
function lowRankParts(source: TensorSource, model: Named): TensorSource {
  const unused = unusedTensors(model);
  return renamed(source, (stored) => {
    const name = nameIn(model, stored);
    return unused.some((pattern) => pattern.test(name)) ? undefined : name;
  });
}

const PROJECTOR = /^(?:multi_modal_projector\.|vision_tower\.feature_(?:mean|std)$)/;

/** The layers that a file's tensors belong to, with their sizes; one without a layer, or of another rank, is an error. */
function adaptedLayers(
  model: Module & Named,
  files: AdapterFiles,
  config: AdapterConfig,
): { readonly lowRank: TensorSource; readonly sizes: ReadonlyMap<string, AdapterSize> } {
  const lowRank = lowRankParts(files.lowRank, model);
  const known = new Set([...linears(model)].map(([name]) => name));
  const sizes = new Map<string, AdapterSize>();
  for (const name of lowRank.names()) {
    const part = LOW_RANK.exec(name)?.[1];
    const path = name.replace(LOW_RANK, "");
    if (!known.has(path))
      throw new LlavaError("checkpoint", `${lowRank.where}: adapts ${path}, which the model lacks`, {
        hint: "The adapter is of another model; give its own base model.",
      });
    const size = sizeOf(files.storedPaths.get(model.paths.read(path) ?? path) ?? path, config);
    const { rank } = size;
    const stored = part === undefined ? rank : lowRank.info(name).shape[part === "A" ? 0 : 1];
    if (stored !== rank)
      throw new LlavaError(
        "checkpoint",
        `${lowRank.where}: ${name} has rank ${stored}; adapter_config.json says ${rank}`,
        { hint: "Weights and adapter_config.json are of different adapters; get both again." },
      );
    sizes.set(path, size);
  }
  if (sizes.size > 0) return { lowRank, sizes };
  throw new LlavaError("checkpoint", `${lowRank.where}: holds no tensors of LoRA (…lora_A.weight)`, {
    hint: "The file is of another kind of adapter, or not complete.",
  });
}

/** Parameters whose values are overwritten. */
const copying = (parameters: ReadonlyMap<string, Tensor>): ParameterTree => ({
  namedParameters: () => parameters,
  setParameter(name, tensor) {
    noGrad(() => parameters.get(name)!.copy_(tensor));
    tensor.dispose();
  },
});

/** Those parameters of a model that a source has, in their place and element type. */
function replacing(model: Module, source: TensorSource): ParameterTree {
  const parameters = new Map([...model.namedParameters()].filter(([name]) => source.has(name)));
  return {
    namedParameters: () => parameters,
    setParameter(name, tensor) {
      const { dtype, device } = parameters.get(name)!;
      model.setParameter(name, tensor.to(dtype).toDevice(device));
    },
  };
}

export interface SaveAdapterOptions {
  /** Path or hub name of the model that the adapter belongs to. */
  readonly baseModel: string;
  /** Modules that were trained as a whole, as PEFT names them, by the end of their path: "multi_modal_projector". */
  readonly wholeModules?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly valuesOf?: WriteOptions["valuesOf"];
}

/** Writes a model's adapters as PEFT does: `adapter_model.safetensors` and `adapter_config.json`, which it can load. */
export function saveAdapter(model: Module & Named, folder: string, options: SaveAdapterOptions): void {
  const { baseModel, wholeModules = [], metadata, valuesOf } = options;
  const tensors = adapterParameters(model);
  for (const [name, parameter] of model.namedParameters())
    if (wholeModules.some((end) => isWithin(name, end)))
      tensors.set(`base_model.model.${transformersName(model, name)}`, parameter);
  const config = {
    ...commonOptions(model),
    targets: targetsOf(model),
    wholeModules,
    baseModel,
    bias: "none" as const,
  };
  makeFolder(folder);
  const path = join(folder, "adapter_model.safetensors");
  writeSafetensors(path, tensors, { format: "pt", ...metadata }, { valuesOf });
  writeAdapterConfig(folder, config);
}

/** Whether a parameter is in a module whose path ends so, or is what is so called. */
function isWithin(name: string, end: string): boolean {
  const steps = name.split(".");
  return steps.some((_, depth) =>
    steps
      .slice(0, depth + 1)
      .join(".")
      .endsWith(end),
  );
}

/** What all adapters of a model are like; sizes of some may be their own. */
function commonOptions(model: Module & Named) {
  const all = Array.from(adaptedLinears(model), ([name, { adapter }]) => ({
    path: transformersName(model, name),
    ...adapter.options,
  }));
  const [first] = all;
  if (first === undefined) throw new LlavaError("usage", "the model has no adapters to save");
  const sizes = new Map(all.map(({ path, rank, alpha }) => [path, { rank, alpha }]));
  const shared = ({ dropout = 0, rankStabilized = false, decomposed = false }: LowRankOptions) => ({
    dropout,
    rankStabilized,
    decomposed,
  });
  const other = all.find((each) => !isDeepStrictEqual(shared(each), shared(first)));
  if (other !== undefined)
    throw new LlavaError("usage", `the adapters of ${first.path} and ${other.path} have different options`);
  return { ...sizesIn(sizes), ...shared(first) };
}

/**
 * The adapted layers as PEFT's `target_modules`: ends of paths where no other layer ends so; a pattern where those of the
 * language model are meant, since the vision tower's have the same names; whole paths otherwise.
 */
function targetsOf(model: Module & Named): readonly string[] | string {
  const adapted = [...adaptedLinears(model)].map(([name]) => name);
  const ends = [...new Set(adapted.map((name) => name.slice(name.lastIndexOf(".") + 1)))];
  const withEnds = [...linears(model)]
    .map(([name]) => name)
    .filter((name) => ends.includes(name.split(".").at(-1)!));
  if (withEnds.length === adapted.length) return ends;
  if (withEnds.filter((name) => name.startsWith("language_model.")).join() === adapted.join())
    return `.*language_model.*\\.(?:${ends.join("|")})`;
  return adapted.map((name) => transformersName(model, name));
}
