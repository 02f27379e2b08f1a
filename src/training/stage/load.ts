import { existsSync } from "node:fs";
import { loadStrict } from "../../checkpoint/index.ts";
import type { Communicator } from "../../distributed/index.ts";
import { LlavaError } from "../../errors.ts";
import {
  addNewline,
  type Eyes,
  loadAssembled,
  loadBuiltin,
  loadPretrained,
  openProjector,
  type PretrainedLlava,
  withAnyRes,
  withVideo,
} from "../../pretrained/index.ts";
import { type ProgressFactory, type ResolvedModel, readRunFolder, resolveModel } from "../../setup/index.ts";
import { type Generator, randn, scope } from "../../torch/index.ts";
import { type Recipe, shardingOf, trainableParts } from "../recipe/recipe.ts";
import { placement } from "./placement.ts";
import { NEWLINE, named, prefixes } from "./trainable.ts";

export interface Surroundings {
  readonly progress: ProgressFactory;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** The processes that train together; by default this one is alone. */
  readonly communicator?: Communicator;
}

/** The model that a recipe starts from, with the projector that it starts from. */
export async function loadStart(
  recipe: Recipe,
  generator: Generator,
  around: Surroundings,
): Promise<PretrainedLlava> {
  const {
    model: name,
    base,
    visionTower,
    vision,
    device,
    tokensPerSide,
    projector: start,
    frozenWeights,
  } = recipe;
  const language = placement(recipe, "languageModel");
  const dtype = language.computed;
  const { report, progress, signal } = around;
  const find = (wanted: string) => resolveModel(wanted, { report, progress, ...(signal && { signal }) });
  const resolved = await find(name);
  if (tokensPerSide !== undefined && resolved.kind === "folder")
    throw new LlavaError(
      "config",
      `tokensPerSide is for built-in models; ${name} says itself how many it has`,
    );
  if (vision && start === "loaded")
    throw new LlavaError("config", `${name} is a language model: it has no projector to be loaded`, {
      hint: 'Set projector to "fresh", or to the projector.safetensors of a stage-1 run.',
    });
  const needless = { base, visionTower };
  const unused = (["base", "visionTower"] as const).find((field) => needless[field] !== undefined);
  if (unused !== undefined && (vision || resolved.kind === "builtin"))
    throw new LlavaError("config", `${name} takes no ${unused}`, {
      hint: vision ? "A language model is given its tower by vision.tower." : `Leave out ${unused}.`,
    });
  const untrained = start !== "loaded";
  const shared = { computeDtype: dtype, device, report };
  // What learns starts from the weights as they are stored, which the type that is computed in may not hold.
  const options = { ...shared, ...(frozenWeights && { frozenWeights, dtype }) };
  const load = async (): Promise<PretrainedLlava> => {
    if (resolved.kind === "builtin") {
      const parts = {
        ...(tokensPerSide && { tokensPerSide }),
        ...(frozenWeights && { frozenWeights }),
        dtype: language.stored,
      };
      return loadBuiltin(resolved, { ...shared, untrained, ...parts });
    }
    const run = await readRunFolder(resolved.path);
    if (run?.kind === "part")
      throw new LlavaError("config", `${name} is a run that trained a part of ${run.recipe.model}`, {
        hint: `Start from that model, with --projector ${run.weights}.`,
      });
    const path = run?.path ?? resolved.path;
    const parts = { ...(base && { base }), ...(visionTower && { visionTower }) };
    if (vision) {
      const eyes = eyesOf(vision, folderOf(await find(vision.tower)));
      return await loadAssembled(path, eyes, options);
    }
    return await loadPretrained(resolved, { ...options, ...parts, resolve: find });
  };
  const found = await load();
  const tiled = recipe.anyres === undefined ? found : withAnyRes(found, recipe.anyres);
  const pretrained = recipe.video === undefined ? tiled : withVideo(tiled, recipe.video);
  if (recipe.video !== undefined && found.origin === undefined)
    report(
      `${name} is built in, and keeps nothing of video: give frames again where the result is used (--frames)`,
    );
  startNewline(pretrained, generator, report);
  const { projector } = pretrained.model;
  if (start === "fresh") projector.initialize(generator);
  else if (start !== "loaded") loadProjector(pretrained, start, report);
  // The towers of built-in models are precise ones.
  const tower = { isPrecise: resolved.kind === "builtin" };
  for (const part of trainableParts) {
    const { learns, stored, matrices } = placement(recipe, part, tower);
    // What learns is converted weight by weight when it is told apart, and few bits are loaded as such.
    const isSharded = part === "languageModel" && shardingOf(recipe) === "weights"; // converted part by part as well
    if ((part === "projector" || !learns) && matrices === undefined && !isSharded)
      pretrained.model[part].to({ dtype: stored, device });
  }
  return pretrained;
}

/** A model that had no newline begins with one as the original code draws it: normal, with a deviation of 1/√D. */
function startNewline(
  { model, processor: { imageConfig } }: PretrainedLlava,
  generator: Generator,
  report: (line: string) => void,
): void {
  if (imageConfig.tiling && addNewline(model, imageConfig.tiling))
    report(
      "the model had no image_newline, which AnyRes puts after each row of an image: it starts at random",
    );
  if (model.imageNewline?.device !== "meta") return;
  const [width] = model.imageNewline.shape as [number];
  const { device } = model.languageModel;
  model.setParameter(
    "image_newline",
    scope(() =>
      randn([width], generator)
        .mul(width ** -0.5)
        .toDevice(device),
    ),
  );
}

/** What a recipe's `vision` says, in the terms of a model's configuration. */
export const eyesOf = (vision: NonNullable<Recipe["vision"]>, visionTower: string): Eyes => ({
  visionTower,
  projectorType: vision.projector,
  featureLayer: vision.featureLayer,
  imageAspectRatio: vision.imageAspectRatio,
});

function folderOf(tower: ResolvedModel): string {
  if (tower.kind === "folder") return tower.path;
  throw new LlavaError("config", `vision.tower is ${tower.name}, a whole model`, {
    hint: "Give the folder or hub name of a CLIP model.",
  });
}

/** A projector, with its feature statistics if the model has any, from what stage 1 wrote, here or by the original code. */
function loadProjector({ model }: PretrainedLlava, path: string, report: (line: string) => void): void {
  if (!existsSync(path))
    throw new LlavaError("config", `${path}: there is no such projector`, {
      hint: 'Give the projector.safetensors of a stage-1 run, an mm_projector.bin, "fresh", or "loaded".',
    });
  using source = openProjector(path, report);
  const { projector, visionTower } = model;
  const statistics = Object.entries(visionTower.standardized?.statistics ?? {});
  const parameters = new Map([
    ...named(prefixes.projector, projector.namedParameters()),
    ...named(prefixes.visionTower, statistics),
  ]);
  const newline = model.imageNewline && source.has(NEWLINE);
  if (newline) parameters.set(NEWLINE, model.imageNewline!);
  loadStrict(
    {
      namedParameters: () => parameters,
      // The file may be written to again while the values are trained.
      setParameter: (name, tensor) => model.setParameter(name.replace(/^model\./, ""), tensor.clone()),
    },
    source,
    {
      ignore: [
        ...(statistics.length > 0 ? [] : [/^model\.vision_tower\.feature_/]),
        ...(newline ? [] : [/^model\.image_newline$/]),
      ],
    },
  );
}
