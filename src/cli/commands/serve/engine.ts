import { totalmem } from "node:os";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { LocalModel } from "../../../index.ts";
import type { ConstraintCompiler, ServingEngine } from "../../../serving/engine/index.ts";
import { count, type ModelFlags, positive } from "../../frame/model-options.ts";

/** How a model answers many at once. */
export interface EngineFlags extends Pick<ModelFlags, "maxPixels" | "transparency"> {
  /** GB, of all models. */
  readonly memory?: number;
  readonly running?: number;
  readonly queue?: number;
  readonly cache?: boolean;
  readonly panels?: boolean;
}

export const addEngineOptions = (command: Command): Command =>
  command
    .option(
      "--memory <gb>",
      "for keys and values, what was seen of images, and media under way (default: a quarter of the machine's)",
      positive,
    )
    .option("--running <n>", "answers under way at once (default: 32)", count)
    .option("--queue <n>", "requests that wait at most (default: 256)", count)
    .option("--no-cache", "keep nothing of what was read and seen for later requests")
    .option(
      "--no-panels",
      "leave weights as they are mapped from files: slower, in memory that replicas share",
    );

/** The engine of one of `models` models, which share the memory. */
export async function openEngine(
  model: LocalModel,
  { memory, running, queue, cache, panels, maxPixels, transparency }: EngineFlags,
  { models, report }: { readonly models: number; readonly report: (line: string) => void },
): Promise<ServingEngine> {
  const { ServingEngine } = await import("../../../serving/engine/index.ts");
  const constraints = await compilerOf(model, report);
  return new ServingEngine(model, {
    memory: Math.floor((memory === undefined ? totalmem() / 4 : memory * 1e9) / models),
    ...(running !== undefined && { maxRunning: running }),
    ...(queue !== undefined && { queueLimit: queue }),
    ...(cache !== undefined && { cache }),
    ...(panels !== undefined && { panels }),
    ...(constraints && { constraints }),
    images: { ...(maxPixels !== undefined && { maxPixels }), ...(transparency && { transparency }) },
  });
}

/** Without llguidance constraints are refused, each with what to do. */
async function compilerOf(
  { pretrained: { model, processor } }: LocalModel,
  report: (line: string) => void,
): Promise<ConstraintCompiler | undefined> {
  const [endId] = processor.stopIds;
  if (endId === undefined) return undefined;
  const { llguidanceCompiler } = await import("../../../serving/constraints/index.ts");
  const { tokenizer } = processor;
  try {
    return await llguidanceCompiler({ tokenizer, size: model.languageModel.config.vocabSize, endId });
  } catch (error) {
    if (!(error instanceof LlavaError) || error.code !== "setup") throw error;
    report(`${error.message}: requests for structured answers are refused. ${error.hint ?? ""}`.trim());
    return undefined;
  }
}
