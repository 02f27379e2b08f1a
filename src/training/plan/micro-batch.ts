import { shortRow } from "../../nn/index.ts";
import { roundUp, targetStep, widthStep } from "../batches/packing.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { ModelSizes } from "./sizes.ts";

/** What rows are like. */
export interface RowLengths {
  /** Tokens without those of images. */
  readonly text: number;
  /** Those of them that are trained. */
  readonly supervised: number;
  readonly images: number;
  /** Of its video, where it has one. */
  readonly frames?: number;
}

/** What one micro-batch is made of. */
export interface MicroBatch {
  readonly rows: number;
  /** Tokens with those of images; they lie in rows of `rowWidth`. */
  readonly tokens: number;
  readonly rowWidth: number;
  /** Tokens of the longest sample. */
  readonly longest: number;
  /** Positions that are scored over the vocabulary. */
  readonly supervised: number;
  readonly images: number;
  /** Of videos. */
  readonly frames: number;
}

const CAPTION: RowLengths = { text: 20, supervised: 18, images: 1 };
/** Means of 1,000 image rows of llava_v1_5_mix665k, template v1, a vocabulary of 32,000 (`llava data inspect --json`). */
const INSTRUCTION: RowLengths = { text: 255, supervised: 90, images: 1 };
/** A prompt with two answers as long as these, behind it side by side. */
const PAIR: RowLengths = { text: 345, supervised: 180, images: 1 };

/** What rows of a recipe are taken for. Where videos are learnt from, the largest have one. */
export function typicalRows(recipe: Recipe, { video }: ModelSizes): RowLengths {
  const rows = rowsOfText(recipe);
  if (recipe.video === undefined && recipe.data.videos !== "only") return rows;
  return { ...rows, images: 0, frames: video.frames };
}

function rowsOfText({ data, objective }: Recipe): RowLengths {
  if (objective?.type === "preference") return PAIR;
  return data.template?.includes("plain") ? CAPTION : INSTRUCTION;
}

/** The largest micro-batch of a device. */
export function microBatchOf(
  { imageTokens, video }: ModelSizes,
  { batchSize, accumulation, packedRows, data, objective }: Recipe,
  { text, supervised, images, frames = 0 }: RowLengths,
  devices: number,
): MicroBatch {
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
