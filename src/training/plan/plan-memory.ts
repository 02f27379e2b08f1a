import { TILES_AT_ONCE } from "../../models/index.ts";
import { shortRow } from "../../nn/index.ts";
import { byteWidth } from "../../torch/index.ts";
import { roundUp, targetStep, widthStep } from "../batches/packing.ts";
import { referenceOf } from "../recipe/objective-schema.ts";
import { type Recipe, trainableParts } from "../recipe/recipe.ts";
import { computing, placement } from "../stage/placement.ts";
import { computeBytes, layerBuffers, logits, type MicroBatch, modelActivations } from "./activations.ts";
import { adapterWeights, layersInBlocks, type ModelSizes, TYPICAL_PHOTO } from "./sizes.ts";

/** What rows are like. */
export interface RowLengths {
  /** Tokens without those of images. */
  readonly text: number;
  /** Those of them that are trained. */
  readonly supervised: number;
  readonly images: number;
  /** Of its video, where it has one. */
  readonly frames: number;
}

export interface PlanOptions {
  /** By default those of captions with the plain template, otherwise those of LLaVA-1.5's mixture. */
  readonly rows?: RowLengths;
  /** Devices that a step's rows are shared by, each with a whole model; 1. */
  readonly devices?: number;
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
  /** Of each device, if weights, gradients and states were split among the devices, as ZeRO-3 does; not done here. */
  readonly sharded: number;
  readonly devices: number;
  readonly microBatch: MicroBatch & { readonly rows: number };
  readonly rows: RowLengths;
}

const CAPTION: RowLengths = { text: 20, supervised: 18, images: 1, frames: 0 };
/** Means of 1,000 image rows of llava_v1_5_mix665k, template v1, a vocabulary of 32,000 (`llava data inspect --json`). */
const INSTRUCTION: RowLengths = { text: 255, supervised: 90, images: 1, frames: 0 };
/** A prompt with two answers as long as these, behind it side by side. */
const PAIR: RowLengths = { text: 345, supervised: 180, images: 1, frames: 0 };

/** Where videos are learnt from, the largest rows have one. */
function typicalRows(recipe: Recipe, { video }: ModelSizes): RowLengths {
  const rows = rowsOfText(recipe);
  if (recipe.video === undefined && recipe.data.videos !== "only") return rows;
  return { ...rows, images: 0, frames: video.frames };
}

function rowsOfText({ data, objective }: Recipe): RowLengths {
  if (objective?.type === "preference") return PAIR;
  return data.template?.includes("plain") ? CAPTION : INSTRUCTION;
}

/** Node with libtorch loaded and a first step done: code, kernels that oneDNN keeps, tokenizer, rows. */
export const PROCESS_BYTES = 310e6;
/** A CUDA context with the libraries' workspaces. */
const CONTEXT_BYTES = 900e6;
/**
 * What an allocator holds beyond what is in use, as a share of what comes and goes in a step. glibc's was measured
 * (bench/plan.ts against the same runs with every block mapped by itself): 18 to 36 %, the less the longer the rows.
 * Logits are so large that it maps them by themselves, with nothing lost.
 */
const FRAGMENTATION = { cpu: 0.25, cuda: 0.08 };

/** How much memory a recipe takes to train a model of these sizes: a pure function, which reads neither weights nor data. */
export function planMemory(sizes: ModelSizes, recipe: Recipe, options: PlanOptions = {}): MemoryPlan {
  const { devices = 1 } = options;
  const rows = options.rows ?? typicalRows(recipe, sizes);
  const batch = microBatchOf(sizes, recipe, rows, devices);
  const bytes = computeBytes(recipe);
  const trained = trainedParameters(sizes, recipe);
  const learning = sum(Object.values(trained));
  const isCpu = recipe.device.startsWith("cpu");

  const weights = weightBytes(sizes, recipe);
  const gradients = 4 * learning;
  const states = 8 * learning;
  const reference = referenceOf(recipe) === "copy" ? 4 * learning : 0;
  const copies = copyBytes(sizes, recipe, trained);
  const activations = modelActivations(sizes, recipe, batch) + projectorActivations(sizes, recipe, batch);
  const scores = logits(sizes, recipe, batch);
  const tower = towerBytes(sizes, recipe, batch);
  const buffers = layerBuffers(sizes, recipe, batch);
  const added = gradientBuffer(sizes, recipe);

  // Activations are given up while gradients arrive; only gradients of an earlier micro-batch are there beside them. Freed
  // buffers stay with the allocator, so that they count beside the logits, which come after the last of them.
  const kept = recipe.accumulation > 1 ? gradients : 0;
  const forward = kept + copies + activations + scores + buffers;
  const backward = gradients + copies + buffers + added;
  const encoding = kept + tower.passing;
  const peak = Math.max(forward, backward, encoding, gradients);
  const base = isCpu ? PROCESS_BYTES : CONTEXT_BYTES;
  const share = isCpu ? FRAGMENTATION.cpu : FRAGMENTATION.cuda;
  const slack = share * (isCpu ? peak - (peak === forward ? scores : 0) : peak - kept);
  const shared = peak - Math.max(kept, peak === backward || peak === gradients ? gradients : 0);
  const parts = [
    { name: "weights", bytes: weights, note: weightNote(recipe) },
    { name: "reference", bytes: reference, note: "a frozen copy of what learns" },
    { name: "optimizer states", bytes: states, note: "two float32 moments of what learns" },
    { name: "gradients", bytes: peak - shared, note: gradientNote(recipe) },
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
            note: `in ${computing(recipe).dtype}, during a micro-batch`,
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
  const whole = weights + gradients + states;
  const layer = sizes.layerMatrices / sizes.text.numLayers;
  const sharded = total - whole + (gradients - (peak - shared)) + whole / devices + 2 * bytes * layer;
  return { parts, total, sharded: devices > 1 ? sharded : total, devices, microBatch: batch, rows };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function microBatchOf(
  { imageTokens, video }: ModelSizes,
  { batchSize, accumulation, packedRows, data, objective }: Recipe,
  { text, supervised, images, frames }: RowLengths,
  devices: number,
): MemoryPlan["microBatch"] {
  const rows = Math.max(1, Math.ceil(batchSize / accumulation / devices));
  const samples = Math.ceil(rows / data.rowsPerImage);
  const fed = (text - 1) * Math.min(data.rowsPerImage, rows); // a row's last token is only predicted
  // Each side of a pair may have so many tokens, of which the prompt's are there once.
  const most = objective?.type === "preference" ? data.maxTokens + supervised / 2 : data.maxTokens;
  const seen = images * imageTokens + (frames > 0 ? video.tokens(frames) : 0);
  const longest = Math.min(seen + fed, most);
  const bins = Math.min(packedRows, samples);
  const rowWidth = roundUp(Math.ceil((samples * longest) / bins), widthStep);
  return {
    rows,
    // Short rows are padded to one width; long ones are laid end to end.
    tokens: rowWidth <= shortRow ? bins * rowWidth : roundUp(samples * longest, widthStep),
    rowWidth,
    longest,
    supervised: roundUp(rows * supervised, targetStep),
    images: samples * images,
    frames: samples * frames,
  };
}

function trainedParameters(sizes: ModelSizes, { train, lora }: Recipe) {
  const { parameters } = sizes;
  const whole = (part: keyof typeof parameters): number => (train.includes(part) ? parameters[part] : 0);
  return {
    visionTower: whole("visionTower"),
    projector: whole("projector"),
    languageModel: whole("languageModel"),
    adapters: lora ? adapterWeights(sizes, lora) : 0,
  };
}

function weightBytes(sizes: ModelSizes, recipe: Recipe): number {
  const { parameters, layerMatrices, tower } = sizes;
  const parts = trainableParts.map((part) => {
    const { stored, matrices } = placement(recipe, part, tower);
    const bytes = byteWidth[stored] * parameters[part];
    if (matrices === undefined) return bytes;
    const narrow = matrices === "int8" ? layerMatrices : layersInBlocks(sizes, "int4", byteWidth[stored]);
    return bytes - byteWidth[stored] * layerMatrices + narrow;
  });
  return sum(parts) + 4 * trainedParameters(sizes, recipe).adapters;
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

/** Inputs of the projector's layers, in float32 features before. */
function projectorActivations(
  { projectorWidths, tiles, tileRows, video }: ModelSizes,
  recipe: Recipe,
  batch: MicroBatch,
) {
  const [input = 0, ...others] = projectorWidths;
  const bytes = computeBytes(recipe);
  const ofFrames = video.pooledBefore ? video.tokens(batch.frames) : batch.frames * tileRows;
  const rows = batch.images * tiles * tileRows + (batch.frames > 0 ? ofFrames : 0);
  return rows * (input * (8 + bytes) + sum(others) * 2 * bytes);
}

/** What the tower needs while images pass, and the features that a micro-batch waits for. */
function towerBytes(
  { tower, tiles, tileRows, projectorWidths }: ModelSizes,
  recipe: Recipe,
  batch: MicroBatch,
) {
  const { computed, learns } = placement(recipe, "visionTower", tower);
  const bytes = byteWidth[computed];
  const seen = batch.images * tiles + batch.frames;
  const { batchSize, tilesAtOnce = TILES_AT_ONCE } = recipe.features;
  const images = Math.min(learns ? tilesAtOnce : batchSize, seen);
  // A cache is built before the first step, so many images at once.
  const atOnce = recipe.features.cache === "" ? images : batchSize;
  const passing = atOnce * bytes * (tower.perLayer + tower.between);
  // Computed again, a layer's are there of the tiles that go through it at once.
  const saved = recipe.activationCheckpointing
    ? images * (tower.recomputed - tower.between) + seen * tower.between
    : seen * tower.saved;
  const kept = learns ? bytes * saved : seen * 4 * tileRows * (projectorWidths[0] ?? 0);
  return { passing, kept, images: atOnce };
}

/** The largest matrix's gradient, as computed and in float32, before it is added to what is there. */
function gradientBuffer({ text, projectorWidths }: ModelSizes, recipe: Recipe): number {
  const largest = recipe.train.includes("languageModel")
    ? text.vocabSize * text.hiddenSize
    : Math.max(...projectorWidths.slice(1).map((width, i) => width * projectorWidths[i]!));
  return largest * (computeBytes(recipe) === 4 ? 4 : 6);
}

function featureNote({ tiles, imageTokens, video }: ModelSizes, batch: MicroBatch, rows: RowLengths): string {
  if (rows.frames > 0)
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

const gradientNote = ({ accumulation }: Recipe): string =>
  accumulation > 1
    ? "float32, summed over micro-batches"
    : "float32; they arrive as activations are given up";

const activationNote = ({ activationCheckpointing }: Recipe, { tokens }: MicroBatch): string =>
  `${tokens} tokens${activationCheckpointing ? ", one layer at a time, computed again" : ""}`;
