import type { ParameterTree, TensorSource } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import type { LanguageModel } from "../models/index.ts";
import { BlockEmbedding, BlockLinear, Embedding, Linear, type Module } from "../nn/index.ts";
import type { KeptWeights } from "../setup/index.ts";
import {
  type Blocks,
  type DType,
  isFloating,
  quantize,
  releasePages,
  scope,
  type Tensor,
} from "../torch/index.ts";
import { blockType } from "./block-types.ts";
import type { LoadOptions } from "./pretrained.ts";
import { quantizing } from "./quantizing.ts";

/** Element type and device of all weights that are not kept in blocks. */
export function placementOf({ dtype, device, weights }: LoadOptions): { dtype?: DType; device?: string } {
  if (weights === "bf16" && dtype !== undefined && dtype !== "bfloat16")
    throw new LlavaError(
      "usage",
      `weights in bf16 are of dtype bfloat16, and ${dtype} is asked for as well`,
      {
        hint: "Leave out one of the two (--weights, --dtype).",
      },
    );
  const type = weights === "bf16" ? "bfloat16" : dtype;
  return { ...(type && { dtype: type }), ...(device && { device }) };
}

/** `model` to load into, so that the language model's matrices arrive in the form that `options` ask for. */
export function keeping(model: Module, languageModel: LanguageModel, options: LoadOptions): ParameterTree {
  const { weights, frozenWeights } = options;
  if (frozenWeights === "int8") return quantizing(model, languageModel);
  if (frozenWeights === "int4")
    return inBlocks(model, languageModel, { ...options, weights: "int4", isOnlyLayers: true });
  if (weights === undefined || weights === "bf16") return model;
  return inBlocks(model, languageModel, { ...options, weights });
}

type BlockOptions = Pick<LoadOptions, "dtype" | "device" | "report"> & {
  readonly weights: Exclude<KeptWeights, "bf16">;
  /** Whether the vocabulary's scores and the embedding stay in floating point. */
  readonly isOnlyLayers?: boolean;
};

/**
 * A model to load into whose language model's matrices are brought into blocks one by one as they are read, so that no second
 * one is ever alive in floating point: linear layers, the vocabulary's scores, and the embedding where it gives those too.
 * "stored" takes blocks as they lie in the file, those of the embedding as well.
 * @throws LlavaError "usage" for a device that does not multiply blocks
 */
export function inBlocks(
  model: Module,
  { layers, config }: Pick<LanguageModel, "layers" | "config"> & Module,
  options: BlockOptions,
): ParameterTree {
  const { weights, dtype, device = "cpu", report = () => {}, isOnlyLayers = false } = options;
  if (device !== "cpu")
    throw new LlavaError("usage", `weights "${weights}" are multiplied on the CPU, not on ${device}`, {
      hint: "Leave out --weights, or --device.",
    });
  const all = placesIn(model, layers, config.tieWordEmbeddings);
  const places = isOnlyLayers ? new Map([...all].filter(([, { inLayer }]) => inLayer)) : all;
  const unread = new Set(places.keys());
  const types = new Map<string, number>();
  const plain: string[] = [];

  function blocksOf(
    path: string,
    place: Place,
    source: TensorSource,
  ): (Blocks & { wide?: DType }) | undefined {
    const name = `${path}.weight`;
    const stored = source.blocks?.(name);
    if (weights === "stored") return stored;
    const { module, isOutput } = place;
    if (module instanceof Embedding && !isOutput) return stop(stored);
    const width = source.info(name).shape[1] ?? 0;
    const type = blockType(weights, width, isOutput);
    if (type === undefined || (stored !== undefined && bitsOf(stored.type) === bitsOf(type))) return stored;
    stop(stored);
    using wide = source.read(name);
    if (!isFloating(wide.dtype)) return undefined;
    const blocks = scope(() => quantize(wide, type));
    releasePages(wide);
    return { type, blocks, wide: wide.dtype };
  }

  function load(name: string, source: TensorSource): boolean {
    const path = name.replace(/\.weight$/, "");
    const place = places.get(path);
    if (place === undefined || path === name) return false;
    const { module, isOutput } = place;
    const kept = blocksOf(path, place, source);
    const label = kept?.type ?? "";
    if (kept !== undefined) {
      types.set(label, (types.get(label) ?? 0) + 1);
      const width = source.info(name).shape[1]!;
      model.replace(
        path,
        module instanceof Linear
          ? BlockLinear.around(module, kept, name)
          : new BlockEmbedding(kept, width, dtype ?? kept.wide ?? "float32"),
      );
      module.weight.dispose();
    } else if (module instanceof Linear || isOutput) plain.push(path);
    unread.delete(path);
    if (unread.size === 0) report(summary(weights, types, plain));
    return kept !== undefined;
  }

  return {
    namedParameters: () => model.namedParameters(),
    setParameter: (name, tensor) => model.setParameter(name, tensor),
    load,
  };
}

interface Place {
  readonly module: Linear | Embedding;
  readonly inLayer: boolean;
  /** Gives the vocabulary's scores. */
  readonly isOutput: boolean;
}

/** The matrices of a model's decoder by the paths of their modules. */
function placesIn(model: Module, layers: readonly Module[], isTied: boolean): Map<string, Place> {
  const inLayers = new Set(layers.flatMap((layer) => [...layer.namedModules()].map(([, module]) => module)));
  const places = new Map<string, Place>();
  for (const [path, module] of model.namedModules()) {
    if (/^(?:vision_tower|multi_modal_projector)\./.test(path)) continue;
    const inLayer = inLayers.has(module);
    if (module instanceof Linear) places.set(path, { module, inLayer, isOutput: !inLayer });
    else if (module instanceof Embedding) places.set(path, { module, inLayer, isOutput: isTied });
  }
  return places;
}

const bitsOf = (type: Blocks["type"]): number => Number(type[1]);

function stop(stored: { blocks: Tensor } | undefined): undefined {
  stored?.blocks.dispose();
}

const LISTED = 4;

/** What became of the matrices, for people: "language model: 210 matrices in Q8_0; …". */
function summary(weights: KeptWeights, types: ReadonlyMap<string, number>, plain: readonly string[]): string {
  const kept = [...types].map(([type, count]) => `${count} in ${type}`);
  const listed = plain.slice(0, LISTED).join(", ") + (plain.length > LISTED ? ", …" : "");
  const others =
    plain.length === 0
      ? []
      : weights === "stored"
        ? [`${plain.length} in no blocks in the file, left in its type`]
        : [`${plain.length} not in blocks, whose rows are no multiple of 32: ${listed}`];
  return `matrices of the language model: ${[...kept, ...others].join("; ")}`;
}
