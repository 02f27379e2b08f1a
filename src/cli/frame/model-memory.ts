import { statSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { openCheckpoint } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { ggufDialect } from "../../models/index.ts";
import { anyResSchema } from "../../processing/image/index.ts";
import { defaultModel, type ResolvedModel } from "../../setup/index.ts";
import { blockLayouts, byteWidth, fastDType } from "../../torch/index.ts";
import {
  type AnsweringMemory,
  answeringMemory,
  type ModelChoice,
  type ModelSizes,
  recipeSizes,
} from "../../training/index.ts";
import { fileSize } from "./sizes.ts";

/** What a model takes to answer on this machine, in each form of its weights; undefined where its shape is not known. */
export async function modelMemory(
  choice: ModelChoice,
  resolved?: ResolvedModel,
): Promise<AnsweringMemory[] | undefined> {
  const sizes = await sizesOf(choice);
  if (sizes === undefined) return undefined;
  const storedBytes = resolved && bytesStored(resolved);
  // Numbers of built-in models, whose towers are precise, become what the processor is fastest in.
  const elementBytes = sizes.tower.isPrecise ? byteWidth[fastDType().dtype] : 2;
  return answeringMemory(sizes, { elementBytes, ...(storedBytes !== undefined && { storedBytes }) });
}

async function sizesOf(choice: ModelChoice): Promise<ModelSizes | undefined> {
  try {
    return await recipeSizes(choice);
  } catch (error) {
    if (error instanceof LlavaError) return undefined; // parts of a model, or one that is not here
    throw error;
  }
}

/** Of the tensors that would be loaded, as they lie in their files; undefined for parts of a model. */
function bytesStored(model: ResolvedModel): number | undefined {
  if (model.kind === "builtin")
    return [model.visionTower, model.languageModel, model.projector].reduce(
      (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  try {
    using source = openCheckpoint(model.path, ggufDialect);
    return [...source.names()].reduce((sum, name) => {
      const { dtype, shape } = source.info(name);
      return sum + bytesOf(dtype) * shape.reduce((product, size) => product * size, 1);
    }, 0);
  } catch (error) {
    if (error instanceof LlavaError) return undefined;
    throw error;
  }
}

const PLAIN: Readonly<Record<string, number>> = { ...byteWidth, F32: 4, F16: 2, BF16: 2 };

/** Bytes of a number of a stored type; types that are known only by name are those of 8 bits. */
function bytesOf(type: string): number {
  if (!Object.hasOwn(blockLayouts, type)) return PLAIN[type] ?? 1;
  const { blockBytes, blockElements } = blockLayouts[type as keyof typeof blockLayouts];
  return blockBytes / blockElements;
}

/** Models of the sizes that are asked for, by what tells their shapes without files. */
const familiar: readonly ModelChoice[] = [
  { model: defaultModel },
  { model: "liuhaotian/llava-v1.5-7b" },
  { model: "liuhaotian/llava-v1.5-13b" },
  { model: "liuhaotian/llava-v1.6-34b", anyres: anyResSchema.parse({}) },
];

/** What models of familiar sizes take in each form, those whose shapes are known here. */
export async function familiarMemory(): Promise<{ model: string; forms: AnsweringMemory[] }[]> {
  const known = await Promise.all(
    familiar.map(async (choice) => ({ model: choice.model, forms: await modelMemory(choice) })),
  );
  return known.flatMap(({ model, forms }) => (forms ? [{ model, forms }] : []));
}

export const machineMemory = (): { total: number; free: number } => ({ total: totalmem(), free: freemem() });

/** A line for each form: what it takes, of what, and whether this machine has as much. */
export function renderMemory(forms: readonly AnsweringMemory[], memory: number): string[] {
  const rows = forms.map(({ weights, weightBytes, cacheBytes, contextLength, imageBytes, total }) => [
    weights,
    fileSize(total),
    `weights ${fileSize(weightBytes)}, ${contextLength} positions ${fileSize(cacheBytes)}, an image ${fileSize(imageBytes)}`,
    total <= memory ? "fits" : `does not fit into ${fileSize(memory)}`,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(([weights, total, parts, verdict]) =>
    [weights!.padEnd(widths[0]!), total!.padStart(widths[1]!), parts!.padEnd(widths[2]!), verdict].join("  "),
  );
}
