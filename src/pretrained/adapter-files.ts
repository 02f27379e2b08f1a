import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { canonicalName, merged, openWeights, renamed, type TensorSource } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { readJsonObject, writeAtomically } from "../files/index.ts";
import { checked } from "../models/index.ts";
import { adapterFiles, containerSuffixes } from "../setup/index.ts";

export const ADAPTER_CONFIG = "adapter_config.json";

/** What PEFT's `adapter_config.json` says of a low-rank adapter. */
export interface AdapterConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly rankStabilized: boolean;
  /** DoRA: the lengths of rows are learned apart from their directions. */
  readonly decomposed: boolean;
  /** Ranks and alphas of layers that have others, by regular expressions that their paths end with; the first counts. */
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** Which of the base's biases were trained too, and are in the adapter's file. */
  readonly bias: "none" | "all" | "lora_only";
  /** Ends of paths of linear layers, or a regular expression over whole paths; the tensors tell which they were. */
  readonly targets: readonly string[] | string;
  /** Modules that were trained as a whole, and are in the adapter's file. */
  readonly wholeModules: readonly string[];
  /** Path or hub name. */
  readonly baseModel: string | undefined;
}

/** Whether a folder holds an adapter, which is nothing without its base model. */
export const isAdapter = (folder: string): boolean => existsSync(join(folder, ADAPTER_CONFIG));

/** The folder of an adapter, or the one that a training run has left in its own. */
export const adapterFolder = (folder: string): string =>
  !isAdapter(folder) && isAdapter(join(folder, "adapter")) ? join(folder, "adapter") : folder;

const fields = z.object({
  peft_type: z.string(),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).lt(1).nullish(),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), z.int().positive()).nullish(),
  alpha_pattern: z.record(z.string(), z.number().positive()).nullish(),
  bias: z.enum(["none", "all", "lora_only"]).nullish(),
  // Which layers they mean, the tensors tell.
  layers_to_transform: z.union([z.int(), z.array(z.int())]).nullish(),
  layers_pattern: z.union([z.string(), z.array(z.string())]).nullish(),
  // PEFT sets it aside for layers such as those of the models here.
  fan_in_fan_out: z.boolean().nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  base_model_name_or_path: z.string().nullish(),
});

/** Fields of other methods, with the values under which they change nothing; absent or null is such a value, too. */
const UNUSED: Readonly<Record<string, readonly unknown[]>> = {
  use_qalora: [false],
  use_bdlora: [],
  lora_bias: [false],
  arrow_config: [],
  kasa_config: [],
  monteclora_config: [],
  layer_replication: [],
  target_parameters: [],
  trainable_token_indices: [],
  alora_invocation_tokens: [],
  init_lora_weights: [true, false, "gaussian", "orthogonal", "eva"], // the others change the base's weights
};

/** @throws LlavaError "checkpoint" or "config" for a file that is no LoRA's, or one with options this version lacks */
export function readAdapterConfig(folder: string): AdapterConfig {
  const where = join(folder, ADAPTER_CONFIG);
  if (!isAdapter(folder))
    throw new LlavaError("checkpoint", `${folder} holds no adapter (${ADAPTER_CONFIG})`, {
      hint: "Give the folder that PEFT or a training run with adapters wrote.",
    });
  const json = readJsonObject(where);
  if (json["peft_type"] !== "LORA")
    throw new LlavaError(
      "config",
      `${where}: peft_type ${JSON.stringify(json["peft_type"])}; known is "LORA"`,
      { hint: "Merge the adapter into its base model with the library that made it." },
    );
  for (const [field, allowed] of Object.entries(UNUSED)) {
    const value = json[field] ?? undefined;
    if (value === undefined || allowed.includes(typeof value === "object" ? JSON.stringify(value) : value))
      continue;
    throw new LlavaError("config", `${where}: ${field} is ${JSON.stringify(value)}, which is not supported`, {
      hint: "Merge the adapter into its base model with the library that made it.",
    });
  }
  const config = checked(fields, json, where);
  return {
    rank: config.r,
    alpha: config.lora_alpha,
    dropout: config.lora_dropout ?? 0,
    rankStabilized: config.use_rslora ?? false,
    decomposed: config.use_dora ?? false,
    rankPattern: config.rank_pattern ?? {},
    alphaPattern: config.alpha_pattern ?? {},
    bias: config.bias ?? "none",
    targets: config.target_modules ?? [],
    wholeModules: config.modules_to_save ?? [],
    baseModel: config.base_model_name_or_path || undefined,
  };
}

/** Writes `adapter_config.json` with PEFT's fields. */
export function writeAdapterConfig(folder: string, config: AdapterConfig): void {
  const json = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: config.baseModel ?? null,
    inference_mode: true,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    use_rslora: config.rankStabilized,
    target_modules: config.targets,
    modules_to_save: config.wholeModules.length > 0 ? config.wholeModules : null,
    bias: config.bias,
    fan_in_fan_out: false,
    init_lora_weights: true,
    use_dora: config.decomposed,
    rank_pattern: config.rankPattern,
    alpha_pattern: config.alphaPattern,
  };
  writeAtomically(join(folder, ADAPTER_CONFIG), [`${JSON.stringify(json, null, 2)}\n`]);
}

/** An adapter's tensors, under the canonical names of the model's own (see `canonicalName`). */
export interface AdapterFiles extends Disposable {
  /** `<path>.lora_A.weight` [rank, in], `<path>.lora_B.weight` [out, rank], `<path>.lora_magnitude_vector` [out]. */
  readonly lowRank: TensorSource;
  /** The paths of adapted layers in the model that the file is of, by the canonical ones. */
  readonly storedPaths: ReadonlyMap<string, string>;
  /** Tensors that take the place of the base's: modules trained as a whole. */
  readonly whole: TensorSource;
  /** Both of them. */
  readonly all: TensorSource;
}

/**
 * Opens PEFT's `adapter_model` and, beside it, the `non_lora_trainables` of the original LLaVA code, in either container.
 * @throws LlavaError "checkpoint" where there is no adapter_model, or one of the original code without its projector
 */
export function openAdapter(folder: string): AdapterFiles {
  const adapter = openEither(folder, adapterFiles.own);
  if (adapter === undefined)
    throw new LlavaError("checkpoint", `${folder}: no adapter_model.safetensors or adapter_model.bin`, {
      hint: "Download the adapter's weights into this folder.",
    });
  let others: TensorSource | undefined;
  try {
    others = openEither(folder, adapterFiles.besides);
  } catch (error) {
    adapter[Symbol.dispose]();
    throw error;
  }
  const all = renamed(others === undefined ? adapter : merged(others, adapter), modelName);
  const isLowRank = (name: string) => LOW_RANK.test(name);
  const pathOf = (name: string) => name.replace(LOW_RANK, "");
  const stored = [...adapter.names()].filter(isLowRank);
  const files = {
    all,
    lowRank: renamed(all, (name) => (isLowRank(name) ? name : undefined)),
    whole: renamed(all, (name) => (isLowRank(name) ? undefined : name)),
    storedPaths: new Map(
      stored.map((name) => [pathOf(modelName(name)), pathOf(name).replace(/^base_model\.model\./, "")]),
    ),
    [Symbol.dispose]: () => all[Symbol.dispose](),
  };
  try {
    const embedding = [...adapter.names()].find((name) => /\.lora_embedding_[AB]/.test(name));
    if (embedding !== undefined)
      throw new LlavaError(
        "checkpoint",
        `${adapter.where}: ${embedding} adapts an embedding, not a linear layer`,
        {
          hint: "That is not supported: train embeddings as a whole (modules_to_save), or merge the adapter with PEFT.",
        },
      );
    if (others === undefined) requireProjector(folder, files.whole);
  } catch (error) {
    all[Symbol.dispose]();
    throw error;
  }
  return files;
}

/** What the name of a low-rank tensor has behind the path of its layer. */
export const LOW_RANK = /\.lora_(?:([AB])\.weight|magnitude_vector)$/;

/** The original code trains a projector beside its adapters; its config.json says so, and a base would have another one. */
function requireProjector(folder: string, whole: TensorSource): void {
  const path = join(folder, "config.json");
  if (!existsSync(path)) return;
  const { mm_vision_tower: tower, mm_projector_type: type } = readJsonObject(path);
  const hasProjector = [...whole.names()].some((name) => name.startsWith("model.multi_modal_projector."));
  if (tower === undefined || type === "identity" || hasProjector) return;
  throw new LlavaError(
    "checkpoint",
    `${folder}: no ${adapterFiles.besides}.bin or ${adapterFiles.besides}.safetensors, which holds the projector that was trained with the adapter`,
    {
      hint: "Download it into this folder; where no projector was trained, take config.json out, and the base's is used.",
    },
  );
}

function openEither(folder: string, name: string): TensorSource | undefined {
  for (const suffix of containerSuffixes) {
    const path = join(folder, name + suffix);
    if (existsSync(path)) return openWeights(path);
  }
  return undefined;
}

/** The canonical name: PEFT's wrappers stand before it, and inside it those of layers that are trained whole. */
export const modelName = (name: string): string =>
  canonicalName(
    name
      .replace(/^base_model\.model\./, "")
      .replace(/^model\.(?=model\.)/, "")
      .replace(/\.(?:base_layer|modules_to_save(?:\.default)?)(?=\.)/g, ""),
  );
