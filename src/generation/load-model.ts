import { LlavaError } from "../errors.ts";
import { loadPretrained } from "../pretrained/index.ts";
import type { ImageLoadOptions } from "../processing/image/index.ts";
import {
  defaultModel,
  type KeptWeights,
  keptWeights,
  type ProgressFactory,
  resolveModel,
  type WeightType,
  weightType,
} from "../setup/index.ts";
import { requireKnownKeys } from "../spelling.ts";
import { fastDType, setNumThreads, useDevice, version } from "../torch/index.ts";
import { LocalModel } from "./local-model.ts";

export interface LoadModelOptions {
  /**
   * Element type of the weights. Without it they stay as stored, but for those of built-in models, which are stored in
   * 4 bits: those become what the device computes fastest in (bfloat16 on a GPU and on processors with instructions for it,
   * otherwise float32).
   */
  readonly dtype?: WeightType | "fp32" | "bf16" | "fp16" | "half";
  /**
   * How the language model's matrices are kept: "stored" in blocks as they lie in a GGUF file, "int8" or "int4" in blocks of
   * about so many bits, "bf16" as `dtype` bfloat16 keeps them. Without it all are of the element type `dtype`.
   */
  readonly weights?: KeptWeights;
  /** "cpu" (the default), "cuda" or "cuda:N". */
  readonly device?: string;
  /** Model that an adapter or a first stage's projector belongs to, by name or folder, instead of the one that it names. */
  readonly base?: string;
  /** Vision tower of a checkpoint in the original layout, by hub name or folder, instead of the one that it names. */
  readonly visionTower?: string;
  /** Name of a conversation template to use instead of the model's own. */
  readonly template?: string;
  /** Threads of libtorch's operators; all cores without it. */
  readonly threads?: number;
  /** Limits for images of prompts, and whether private addresses may be fetched. */
  readonly images?: ImageLoadOptions;
  /** Use only what is on this machine. */
  readonly offline?: boolean;
  /** Where downloads report how far they are. */
  readonly progress?: ProgressFactory;
  readonly report?: (line: string) => void;
  readonly signal?: AbortSignal;
}

const loadOptions: Readonly<Record<keyof LoadModelOptions, true>> = {
  dtype: true,
  weights: true,
  device: true,
  base: true,
  visionTower: true,
  template: true,
  threads: true,
  images: true,
  offline: true,
  progress: true,
  report: true,
  signal: true,
};

/** See `loadModel` of the library. */
export async function loadModel(nameOrPath?: string, options: LoadModelOptions = {}): Promise<LocalModel> {
  requireKnownKeys(options, {
    what: "options of loadModel()",
    known: Object.keys(loadOptions),
    synonyms: { torch_dtype: "dtype", device_map: "device", chatTemplate: "template" },
  });
  const { weights, base, visionTower, template, threads, images, ...rest } = options;
  const { dtype: typeName, device: deviceName, ...fetching } = rest;
  const dtype = typeName === undefined ? undefined : weightType(typeName);
  if (weights !== undefined && !keptWeights.includes(weights))
    throw new LlavaError(
      "usage",
      `weights are "${String(weights)}"; expected one of ${keptWeights.join(", ")}`,
    );
  version(); // Without libtorch nothing is fetched.
  const name = nameOrPath ?? defaultModel;
  const device = deviceName === undefined ? undefined : useDevice(deviceName);
  const resolved = await resolveModel(name, fetching);
  if (threads !== undefined) setNumThreads(threads);
  const isBuiltin = resolved.kind === "builtin" && weights !== "bf16";
  const chosen = dtype ?? (isBuiltin ? fastDType(device).dtype : undefined);
  const pretrained = await loadPretrained(resolved, {
    ...(chosen && { dtype: chosen }),
    ...(weights && { weights }),
    ...(device && { device }),
    ...(template && { template }),
    ...(base && { base }),
    ...(visionTower && { visionTower }),
    ...(fetching.report && { report: fetching.report }),
    resolve: (other) => resolveModel(other, fetching),
  });
  const { promptFormat } = pretrained.processor;
  if (promptFormat.isAssumed)
    options.report?.(
      `${name} states no conversation template; ${promptFormat.name} is assumed (--template names another, such as llava_llama_2)`,
    );
  return new LocalModel(pretrained, { id: name, ...(images && { images }) });
}
