import { existsSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import {
  canonicalName,
  loadStrict,
  merged,
  openWeights,
  renamed,
  type TensorSource,
} from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import type { Llava, LlavaConfig } from "../models/index.ts";
import { readChatTemplate } from "../processing/conversation/index.ts";
import { anyResSchema } from "../processing/image/index.ts";
import type { Processor } from "../processing/processor/index.ts";
import { videoSchema } from "../processing/video/index.ts";
import {
  baseOfRun,
  fromRun,
  type ResolvedModel,
  type RunFolder,
  type RunRecipe,
  readRunFolder,
  resolveModel,
} from "../setup/index.ts";
import { type DType, Generator } from "../torch/index.ts";
import { loadAdapter } from "./adapter.ts";
import { isAdapter, openAdapter, readAdapterConfig } from "./adapter-files.ts";
import { addNewline, withAnyRes } from "./any-res.ts";
import { describeAssembled } from "./assemble.ts";
import { describeBuiltin } from "./builtin.ts";
import { checkpointFolders, weightsOf } from "./checkpoint-folders.ts";
import { describeGguf, ggufPair } from "./gguf/index.ts";
import { placementOf } from "./kept-weights.ts";
import { describeFolders } from "./load-folders.ts";
import { mergeWhereWhole } from "./lora.ts";
import {
  changed,
  type DescribedModel,
  type DescribeOptions,
  type LoadOptions,
  loaded,
  moduleName,
  type PretrainedLlava,
} from "./pretrained.ts";
import { openProjector } from "./projector-file.ts";
import { withVideo } from "./video.ts";

export interface PretrainedOptions extends LoadOptions {
  /** Finds the files of a base model or vision tower; `resolveModel` by default. */
  readonly resolve?: (name: string) => Promise<ResolvedModel>;
}

/**
 * Loads whatever `resolveModel` found: a model; an adapter, merged into its base model, which is loaded for it; a
 * projector with its base; or the output folder of a run, whose result it is.
 * @throws LlavaError "usage" for a base or a vision tower where none is needed
 */
export const loadPretrained = async (
  resolved: ResolvedModel,
  options: PretrainedOptions = {},
): Promise<PretrainedLlava> => loaded(await describeModel(resolved, { resolve: resolveModel, ...options }));

/**
 * What turns messages, rows and images into the inputs of whatever `resolveModel` found. Only small files are read, of its
 * parts too: weights, libtorch and the addon need not be here.
 */
export async function openModelProcessor(
  resolved: ResolvedModel,
  options: DescribeOptions = {},
): Promise<Processor> {
  const resolve = (name: string) => resolveModel(name, { weights: false });
  return (await describeModel(resolved, { resolve, ...options })).processor;
}

/**
 * The configuration and the processor of whatever `resolveModel` found, for those who tell of a model: only small files are
 * read, and no part is fetched. An adapter's configuration is its base's, which tells nothing of the adapter: undefined.
 */
export async function describeWithoutWeights(
  resolved: ResolvedModel,
): Promise<{ readonly processor: Processor; readonly config: LlavaConfig | undefined }> {
  const resolve = (name: string) => resolveModel(name, { weights: false, offline: true });
  const { processor, origin } = await describeModel(resolved, { resolve });
  return { processor, config: origin?.llava };
}

type FindingOptions = LoadOptions & Required<Pick<LoadOptions, "resolve">>;

async function describeModel(resolved: ResolvedModel, options: FindingOptions): Promise<DescribedModel> {
  if (resolved.kind === "builtin") {
    refuseParts(resolved.name, options);
    return describeBuiltin(resolved, options);
  }
  const pair = ggufPair(resolved.path, resolved.gguf, options.visionTower);
  if (pair !== undefined && options.deltaOf !== undefined) throw notADelta(resolved.path);
  if (pair !== undefined) return describeGguf(pair, options);
  const run = await readRunFolder(resolved.path);
  if (options.deltaOf !== undefined && (run !== undefined || isAdapter(resolved.path)))
    throw notADelta(resolved.path);
  if (run?.kind === "whole") return describeModel({ kind: "folder", path: run.path }, options);
  if (run !== undefined) return describeTrainedPart(resolved.path, run, options);
  if (isAdapter(resolved.path)) return describeAdapted(resolved.path, options);
  return describeFolders(await checkpointFolders(resolved.path, options), options);
}

const notADelta = (path: string): LlavaError =>
  new LlavaError("usage", `${path} is not the difference from a model: it takes no deltaOf`, {
    hint: "Only whole checkpoints were published as differences; an adapter or a projector has a base instead.",
  });

/** Built-in models have all their parts. */
function refuseParts(
  name: string,
  options: Pick<PretrainedOptions, "base" | "deltaOf" | "visionTower">,
): void {
  if (options.deltaOf !== undefined) throw notADelta(name);
  const needless = (["base", "visionTower"] as const).find((part) => options[part] !== undefined);
  if (needless === undefined) return;
  throw new LlavaError("usage", `${name} is a whole model: it takes no ${needless}`, {
    hint: `Leave out ${needless === "base" ? "--base" : "--vision-tower"}.`,
  });
}

/** The model that a run started from, with what was trained in the places of its own. */
async function describeTrainedPart(
  folder: string,
  { weights, recipe }: Extract<RunFolder, { kind: "part" }>,
  { base: given, ...options }: FindingOptions,
): Promise<DescribedModel> {
  const name = given ?? fromRun(folder, recipe.model);
  const base = await resolveBase(name, options.resolve, {
    what: `${folder} holds what was trained of ${name}`,
    hint: "Give that model's folder or name (--base).",
  });
  const chatTemplate = options.chatTemplate ?? (await readChatTemplate(folder));
  const own = await describeStart(base, folder, recipe, { ...options, chatTemplate });
  const tiled = recipe.anyres === undefined ? own : withAnyRes(own, anyResSchema.parse(recipe.anyres));
  const start = recipe.video === undefined ? tiled : withVideo(tiled, videoSchema.parse(recipe.video));
  return changed(start, (model) => {
    const { tiling } = start.processor.imageConfig;
    if (tiling) addNewline(model, tiling);
    const { projector } = recipe;
    const file = openWeights(weights);
    const isFile = projector !== "fresh" && projector !== "loaded";
    using trained = renamed(
      isFile ? merged(file, openProjector(fromRun(folder, projector))) : file,
      (stored) => moduleName(canonicalName(stored)),
    );
    putTrained(model, trained, options);
  });
}

/** Puts trained weights in their places; a projector that had no values must be among them. */
function putTrained(model: Llava, trained: TensorSource, options: PretrainedOptions): void {
  const { dtype, device } = placementOf(options);
  const parameters = [...model.namedParameters()];
  const place = (isPlaced: (name: string) => boolean, type: DType | undefined): void => {
    const placed = new Map(
      parameters.filter(
        ([name, { device: where }]) => isPlaced(name) && (trained.has(name) || where === "meta"),
      ),
    );
    loadStrict(
      { namedParameters: () => placed, setParameter: (name, tensor) => model.setParameter(name, tensor) },
      renamed(trained, (name) => (isPlaced(name) ? name : undefined)),
      { ...(type && { dtype: type }), ...(device && { device }) },
    );
  };
  const isStatistic = (name: string) => name.startsWith("vision_tower.feature_");
  place(isStatistic, "float32");
  place((name) => !isStatistic(name), dtype);
}

/** As `llava train` has it before its first step, but for a projector that the trained weights bring. */
async function describeStart(
  base: ResolvedModel,
  folder: string,
  recipe: RunRecipe,
  options: FindingOptions,
): Promise<DescribedModel> {
  const { vision, tokensPerSide, projector } = recipe;
  if (base.kind === "builtin") {
    refuseParts(base.name, options);
    const untrained = projector !== "loaded";
    return describeBuiltin(base, { ...options, untrained, ...(tokensPerSide && { tokensPerSide }) });
  }
  if (vision === undefined) {
    const { base: inner, visionTower = recipe.visionTower } = { ...options, base: recipe.base };
    return describeModel(base, {
      ...options,
      ...(inner !== undefined && { base: inner }),
      ...(visionTower !== undefined && { visionTower }),
    });
  }
  const tower = await options.resolve(options.visionTower ?? fromRun(folder, vision.tower));
  if (tower.kind !== "folder")
    throw new LlavaError("config", `the vision tower of ${folder} is ${tower.name}, a whole model`, {
      hint: "Give the folder or hub name of a CLIP model (--vision-tower).",
    });
  const { projector: projectorType, featureLayer, imageAspectRatio } = vision;
  const eyes = { visionTower: tower.path, projectorType, featureLayer, imageAspectRatio };
  return describeAssembled(base.path, eyes, options);
}

/**
 * Base, then modules trained as a whole, then the low-rank parts. Where the folder has a configuration of its own, as the
 * original LLaVA's have, the base may be a language model alone.
 */
async function describeAdapted(folder: string, options: FindingOptions): Promise<DescribedModel> {
  const { base: _, ...others } = options;
  const base = await findBase(folder, options);
  const isWhole = existsSync(join(folder, "config.json"));
  if (isWhole && base.kind === "builtin")
    throw new LlavaError(
      "checkpoint",
      `${folder}: its base is a folder's weights, not the built-in ${base.name}`,
      {
        hint: "Give the folder of the language model that it was trained from (--base).",
      },
    );
  const described =
    isWhole && base.kind === "folder"
      ? await describeFolders(
          {
            config: folder,
            files: base.path,
            open: (config) => merged(openAdapter(folder).whole, weightsOf(base.path, config)),
          },
          others,
        )
      : await describeModel(base, { chatTemplate: await readChatTemplate(folder), ...others });
  return changed({ ...described, origin: undefined }, (model) => {
    using generator = new Generator(0);
    loadAdapter(model, folder, { generator, wholeModules: isWhole ? "none" : "all" });
    mergeWhereWhole(model);
  });
}

async function findBase(folder: string, options: FindingOptions): Promise<ResolvedModel> {
  const name = options.base ?? (await baseOfRun(folder)) ?? readAdapterConfig(folder).baseModel;
  if (name === undefined)
    throw new LlavaError("checkpoint", `${folder} holds an adapter that names no base model`, {
      hint: "Give its folder or name (--base).",
    });
  const beside = options.base === undefined && !isAbsolute(name) ? join(folder, name) : name;
  if (statSync(beside, { throwIfNoEntry: false })?.isDirectory())
    return { kind: "folder", path: resolve(beside) };
  return await resolveBase(name, options.resolve, {
    what: `${folder} holds an adapter of ${name}`,
    hint: "Give the base model's folder or name (--base).",
  });
}

/** Finds a model that another belongs to; an error says `what` needs it. */
async function resolveBase(
  name: string,
  find: (name: string) => Promise<ResolvedModel>,
  { what, hint }: { what: string; hint: string },
): Promise<ResolvedModel> {
  try {
    return await find(name);
  } catch (cause) {
    if (!(cause instanceof LlavaError) || cause.code === "aborted") throw cause;
    throw new LlavaError(cause.code, `${what}: ${cause.message}`, { hint, cause });
  }
}
