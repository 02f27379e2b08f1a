import { byteWidth } from "../../torch/index.ts";
import { referenceOf } from "../recipe/objective-schema.ts";
import { type Recipe, shardingOf, trainableParts } from "../recipe/recipe.ts";
import { computing, placement } from "../stage/placement.ts";
import {
  computeBytes,
  layerBuffers,
  logits,
  modelActivations,
  projectorActivations,
  towerBytes,
} from "./activations.ts";
import { type MicroBatch, microBatchOf, type RowLengths, typicalRows } from "./micro-batch.ts";
import {
  asComputed,
  gatheredBytes,
  reducedBytes,
  type Sharding,
  shardsOf,
  trainedParameters,
} from "./sharding.ts";
import { layersInBlocks, type ModelSizes, TYPICAL_PHOTO } from "./sizes.ts";

export interface PlanOptions {
  /** By default those of captions with the plain template, otherwise those of LLaVA-1.5's mixture. */
  readonly rows?: RowLengths;
  /** Devices that a step's rows are shared by; 1. */
  readonly devices?: number;
  /** Of them those in one machine; all. */
  readonly perMachine?: number;
}

interface PlannedPart {
  readonly name: string;
  readonly bytes: number;
  /** What it consists of. */
  readonly note: string;
}

/** Memory of one device, in bytes. */
export interface MemoryPlan {
  readonly parts: readonly PlannedPart[];
  /** Of them all. Parts that never live at once are counted as the larger of them. */
  readonly total: number;
  readonly devices: number;
  readonly sharding: Sharding;
  readonly microBatch: MicroBatch;
  readonly rows: RowLengths;
}

/** Node with libtorch loaded and a first step done: code, kernels that oneDNN keeps, tokenizer, rows. */
export const PROCESS_BYTES = 310e6;
/** A CUDA context with the libraries' workspaces. */
const CONTEXT_BYTES = 900e6;
/**
 * What an allocator holds beyond what is in use, as a share of what comes and goes in a step. glibc's was measured
 * (bench/plan.ts against the same runs with every block mapped by itself): 18 to 36 %, the less the longer the rows.
 * Logits are so large that it maps them by themselves, with nothing lost. Where a tower learns on tiles, blocks of the tower
 * and of long rows take turns, and neither fit where the others were: 0.9 to 1.3 of all that comes and goes.
 */
const FRAGMENTATION = { cpu: 0.25, learningOnTiles: 1, cuda: 0.08 };

/** How much memory a recipe takes to train a model of these sizes: a pure function, which reads neither weights nor data. */
export function planMemory(sizes: ModelSizes, given: Recipe, options: PlanOptions = {}): MemoryPlan {
  const recipe = asComputed(given);
  const { devices = 1, perMachine = devices } = options;
  const sharding = shardingOf(recipe);
  const shards = shardsOf(recipe, devices, perMachine);
  const rows = options.rows ?? typicalRows(recipe, sizes);
  const batch = microBatchOf(sizes, recipe, rows, devices);
  const trained = trainedParameters(sizes, recipe);
  const learning = sum(Object.values(trained));
  const isCpu = recipe.device.startsWith("cpu");

  const masters = (4 * learning) / shards;
  const weights = weightBytes(sizes, recipe, shards);
  const gradients = masters;
  const states = 2 * masters;
  const reference = referenceOf(recipe) === "copy" ? masters : 0;
  const copies =
    sharding === "none" ? copyBytes(sizes, recipe, trained) : gatheredBytes(sizes, recipe, shards);
  const activations = modelActivations(sizes, recipe, batch) + projectorActivations(sizes, recipe, batch);
  const scores = logits(sizes, recipe, batch);
  const tower = towerBytes(sizes, recipe, batch);
  const buffers = layerBuffers(sizes, recipe, batch);
  const added = sharding === "none" ? gradientBuffer(sizes, recipe) : reducedBytes(sizes, recipe, shards);

  // Activations are given up while gradients arrive; only gradients of an earlier micro-batch are there beside them. Freed
  // buffers stay with the allocator, so that they count beside the logits, which come after the last of them.
  const kept = recipe.accumulation > 1 ? gradients : 0;
  const forward = kept + copies + activations + scores + buffers;
  const backward = gradients + copies + buffers + added;
  const encoding = kept + tower.passing;
  const peak = Math.max(forward, backward, encoding, gradients);
  const base = isCpu ? PROCESS_BYTES : CONTEXT_BYTES;
  const onTiles = trained.visionTower > 0 && sizes.tiles > 1;
  const share = FRAGMENTATION[!isCpu ? "cuda" : onTiles ? "learningOnTiles" : "cpu"];
  const logitsApart = isCpu && !onTiles && peak === forward ? scores : 0;
  const slack = share * (peak - logitsApart - (isCpu ? 0 : kept) + (isCpu && onTiles ? tower.kept : 0));
  const passing = peak - Math.max(kept, peak === backward || peak === gradients ? gradients : 0);
  const parts = [
    { name: "weights", bytes: weights, note: weightNote(recipe) + sharedNote(sharding, shards) },
    { name: "reference", bytes: reference, note: "a frozen copy of what learns" },
    { name: "optimizer states", bytes: states, note: "two float32 moments of what learns" },
    { name: "gradients", bytes: peak - passing, note: gradientNote(recipe) },
    ...(peak === encoding
      ? [
          {
            name: "image encoding",
            bytes: tower.passing,
            note: `${tower.images} ${batch.frames > 0 ? "frames" : sizes.tiles > 1 ? "tiles" : "images"} at once`,
          },
        ]
      : [
          {
            name: "copies of weights",
            bytes: copies,
            note: copiesNote(recipe, sharding),
          },
          {
            name: "activations",
            bytes: peak === forward ? activations : 0,
            note: activationNote(recipe, batch),
          },
          {
            name: "logits",
            bytes: peak === forward ? scores : 0,
            note: `${batch.supervised} positions × ${sizes.text.vocabSize} words, loss and gradient in float32`,
          },
          {
            name: "buffers",
            bytes: buffers + (peak === forward ? 0 : added),
            note: "results on the way, a gradient before it is added",
          },
        ]),
    {
      name: "image features",
      bytes: tower.kept,
      note: featureNote(sizes, batch, rows),
    },
    { name: "allocator", bytes: slack, note: `${100 * share} % of what comes and goes` },
    {
      name: isCpu ? "process" : "context",
      bytes: base,
      note: isCpu ? "Node and libtorch" : "CUDA and its libraries",
    },
  ];
  const total = sum(parts.map((part) => part.bytes));
  return { parts, total, devices, sharding, microBatch: batch, rows };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function weightBytes(sizes: ModelSizes, recipe: Recipe, shards: number): number {
  const { parameters, layerMatrices, tower } = sizes;
  const isShared = shardingOf(recipe) === "weights";
  const parts = trainableParts.map((part) => {
    const { learns, stored, matrices } = placement(recipe, part, tower);
    const bytes = byteWidth[stored] * parameters[part];
    const share = learns || (isShared && part === "languageModel") ? 1 / shards : 1;
    if (matrices === undefined) return share * bytes;
    const narrow = matrices === "int8" ? layerMatrices : layersInBlocks(sizes, "int4", byteWidth[stored]);
    return share * (bytes - byteWidth[stored] * layerMatrices + narrow);
  });
  return sum(parts) + (4 * trainedParameters(sizes, recipe).adapters) / shards;
}

/**
 * Of float32 masters in the type that is computed in, and of weights in 8 bits; a layer's where it is computed again. Blocks are
 * decoded a few rows at a time.
 */
function copyBytes(
  { layerMatrices, text, tower }: ModelSizes,
  recipe: Recipe,
  trained: ReturnType<typeof trainedParameters>,
): number {
  const bytes = computeBytes(recipe);
  const share = recipe.activationCheckpointing ? 1 / text.numLayers : 1;
  const quantized = recipe.frozenWeights === "int8" ? bytes * layerMatrices * share : 0;
  if (bytes === 4) return quantized;
  const layers = trained.languageModel > 0 ? layerMatrices : 0;
  const others = trained.languageModel > 0 ? text.vocabSize * text.hiddenSize : 0; // the output matrix
  const towerShare = recipe.activationCheckpointing ? tower.layerShare : 1;
  const masters =
    (layers + trained.adapters) * share + others + trained.projector + trained.visionTower * towerShare;
  return quantized + bytes * masters;
}

/** The largest matrix's gradient, as computed and in float32, before it is added to what is there. */
function gradientBuffer({ text, projectorWidths }: ModelSizes, recipe: Recipe): number {
  const largest = recipe.train.includes("languageModel")
    ? text.vocabSize * text.hiddenSize
    : Math.max(...projectorWidths.slice(1).map((width, i) => width * projectorWidths[i]!));
  return largest * (computeBytes(recipe) === 4 ? 4 : 6);
}

function featureNote({ tiles, imageTokens, video }: ModelSizes, batch: MicroBatch, rows: RowLengths): string {
  if (rows.frames)
    return `${batch.frames} frames of videos, ${video.tokens(rows.frames)} tokens a video of ${rows.frames}`;
  const like = tiles > 1 ? ` like a photo of ${TYPICAL_PHOTO.width}×${TYPICAL_PHOTO.height}` : "";
  return `${batch.images} images${like}, ${imageTokens} tokens each`;
}

const weightNote = (recipe: Recipe): string => {
  const { frozenWeights, train, lora } = recipe;
  const { dtype } = computing(recipe);
  const bits = frozenWeights && `, the language model's layers in ${frozenWeights === "int8" ? 8 : 4} bits`;
  const frozen = `${dtype}${bits ?? ""}`;
  const learning = [...train, ...(lora ? ["adapters"] : [])].join(", ");
  return `frozen ones in ${frozen}; ${learning} in float32`;
};

const sharedNote = (sharding: Sharding, shards: number): string =>
  sharding === "none"
    ? ""
    : `; of ${sharding === "states" ? "the latter" : "these and the language model"} one part of ${shards}`;

const copiesNote = (recipe: Recipe, sharding: Sharding): string => {
  if (sharding === "states") return "whole, as computed with, during a step";
  if (sharding === "weights") return "whole, of the layers that are computed with and the next";
  return `in ${computing(recipe).dtype}, during a micro-batch`;
};

const gradientNote = ({ accumulation }: Recipe): string =>
  accumulation > 1
    ? "float32, summed over micro-batches"
    : "float32; they arrive as activations are given up";

const activationNote = ({ activationCheckpointing }: Recipe, { tokens }: MicroBatch): string =>
  `${tokens} tokens${activationCheckpointing ? ", one layer at a time, computed again" : ""}`;
