import { type Command, Option } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { Processor, TurnMarks } from "../../../processing/processor/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { count } from "../../frame/model-options.ts";

/** What `addEncodingOptions` reads. */
export interface EncodingFlags {
  readonly model?: string;
  readonly tokenizer?: string;
  readonly template?: string;
  readonly answerEnd?: string;
  readonly imageTokens: number;
  readonly keepMarks?: boolean;
}

export const addEncodingOptions = (command: Command): Command =>
  command
    .option("--model <model>", "take tokenizer, template and image tokens from this model")
    .addOption(
      new Option("--tokenizer <folder>", "take the tokenizer from this folder, without a model").conflicts(
        "model",
      ),
    )
    .option("--template <name>", "conversation template, such as v1 or plain (default: the model's own)")
    .option("--answer-end <text>", "ends the template's answers, as data.answerEnd of a recipe")
    .option("--image-tokens <n>", "tokens of an image, with --tokenizer", count, 576)
    .option("--keep-marks", "let answers hold what marks turns, such as </s>, as ordinary text");

/** How rows become ids. */
export interface Encoding {
  readonly processor: Processor;
  readonly turnMarks: TurnMarks;
}

/** By a model's small files or a tokenizer alone; undefined without either. */
export async function openEncoding(
  { model, tokenizer: folder, template, answerEnd, imageTokens, keepMarks }: EncodingFlags,
  { progress, report, signal }: CommandContext,
): Promise<Encoding | undefined> {
  const turnMarks = keepMarks ? "keep" : "refuse";
  const { openProcessor, sourceWithoutModel, trainingProcessor } = await import(
    "../../../processing/processor/index.ts"
  );
  if (model !== undefined) {
    const [{ resolveModel }, { openModelProcessor }] = await Promise.all([
      import("../../../setup/index.ts"),
      import("../../../pretrained/index.ts"),
    ]);
    const find = (name: string) => resolveModel(name, { progress, report, signal: signal(), weights: false });
    const own = await openModelProcessor(await find(model), { resolve: find });
    const { processor, note } = trainingProcessor(own, { template, answerEnd });
    if (note !== undefined) report(note);
    return { processor, turnMarks };
  }
  if (folder === undefined) return undefined;
  if (template === undefined)
    throw new LlavaError("usage", "--tokenizer goes with --template", {
      hint: "LLaVA-1.5 is trained with plain in its first stage and with v1 in its second.",
    });
  const format = { name: template, answerEnd };
  const own = await openProcessor(sourceWithoutModel({ folder }, format, imageTokens));
  const { processor, note } = trainingProcessor(own);
  if (note !== undefined) report(note);
  return { processor, turnMarks };
}
