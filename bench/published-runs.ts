/** Runs whose hours were published, with what has to be taken for granted to foretell them. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  clusterOf,
  planRun,
  type RecipeFields,
  type RunPlan,
  recipeSizes,
  resolveRecipe,
  type StepOptions,
} from "../src/training/index.ts";

interface PublishedRun extends Pick<StepOptions, "overlap" | "reducedBytes" | "rows"> {
  /** In recipes/. */
  readonly recipe: string;
  readonly sharding: "states" | "weights";
  readonly gpus: number;
  readonly gpu: string;
  readonly network?: string;
  readonly dataRows: number;
  readonly hours: number;
  readonly source: string;
}

/** What a layer's products reached of the peak in all of these runs. */
export const EFFICIENCY = 0.48;

/** A caption behind 576 image tokens. */
const caption = { text: 20, supervised: 18, images: 1 };
/** Rows padded to the longest of sixteen: 1,200 tokens each. */
const padded = { text: 625, supervised: 90, images: 1 };
/** The mean of a mixture of images in tiles and text: 2,200 tokens a row. */
const tiled = { text: 255, supervised: 90, images: 0.83 };

const repository = "README of haotian-liu/LLaVA";
const first = {
  recipe: "",
  gpus: 8,
  gpu: "a100-80",
  sharding: "states",
  rows: caption,
  dataRows: 558_128,
} as const;
const second = { ...first, sharding: "weights", rows: padded, dataRows: 665_298 } as const;
const next = { ...second, rows: tiled, dataRows: 760_000, reducedBytes: 2 } as const;

export const publishedRuns: readonly PublishedRun[] = [
  { ...first, recipe: "llava-1.5-7b/pretrain", hours: 3.5, source: repository },
  { ...first, recipe: "llava-1.5-13b/pretrain", hours: 5.5, source: repository },
  { ...second, recipe: "llava-1.5-7b/finetune", gpu: "a100-40", hours: 10, source: repository },
  { ...second, recipe: "llava-1.5-13b/finetune", hours: 20, source: "arXiv 2310.03744" },
  {
    ...next,
    recipe: "llava-next-yi-34b/finetune",
    gpus: 32,
    network: "8x200Gb",
    hours: 24,
    source: "llava-vl.github.io/blog/2024-01-30-llava-next",
  },
  {
    ...next,
    recipe: "llava-next-qwen1.5-110b/finetune",
    gpus: 128,
    gpu: "h800-80",
    network: "8x100Gb",
    overlap: false,
    dataRows: 790_000,
    hours: 18,
    source: "llava-vl.github.io/blog/2024-05-10-llava-next-stronger-llms",
  },
];

/** A recipe of the repository on GPUs, in one micro-batch unless told otherwise. */
export async function clusterRecipe(name: string, fields: Partial<RecipeFields> = {}) {
  const { href } = pathToFileURL(join(import.meta.dirname, "../recipes", `${name}.ts`));
  const { default: own } = (await import(href)) as { default: RecipeFields };
  const data = { ...own.data, rows: "rows.json", images: "images" };
  return resolveRecipe({ ...own, data, device: "cuda", accumulation: 1, ...fields });
}

/** What the planner makes of a published run. */
export async function foretell({ recipe: name, sharding, ...run }: PublishedRun): Promise<RunPlan> {
  const recipe = await clusterRecipe(name, { sharding });
  return planRun(await recipeSizes(recipe), recipe, clusterOf(run), { ...run, efficiency: EFFICIENCY });
}
