import { type Command, Option } from "commander";
import type { RowEncoding } from "../../../data/index.ts";
import { LlavaError } from "../../../errors.ts";
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

/** How rows become ids, and what to dispose of afterwards; undefined without a tokenizer. */
export async function openEncoding(
  { model, tokenizer: folder, template, answerEnd, imageTokens, keepMarks }: EncodingFlags,
  { progress, report, signal }: CommandContext,
): Promise<(RowEncoding & Disposable) | undefined> {
  const turnMarks = keepMarks ? "keep" : "refuse";
  if (model !== undefined) {
    const { ensureNative, resolveModel } = await import("../../../setup/index.ts");
    await ensureNative({ progress, report });
    const { loadPretrained } = await import("../../../pretrained/index.ts");
    const resolved = await resolveModel(model, { progress, report, signal: signal() });
    const pretrained = await loadPretrained(resolved);
    const { tokenizer, textSource, stopIds } = pretrained;
    const { requestedFormat, trainingFormat } = await import("../../../processing/conversation/index.ts");
    const { format, note } = trainingFormat(
      requestedFormat(textSource.format, { template, answerEnd }),
      tokenizer,
      stopIds,
    );
    if (note !== undefined) report(note);
    return {
      tokenizer,
      format,
      imageTokens: () => pretrained.model.visionTower.tokens,
      imageTokenId: pretrained.model.imageTokenId,
      turnMarks,
      [Symbol.dispose]: () => pretrained[Symbol.dispose](),
    };
  }
  if (folder === undefined) return undefined;
  if (template === undefined)
    throw new LlavaError("usage", "--tokenizer goes with --template", {
      hint: "LLaVA-1.5 is trained with plain in its first stage and with v1 in its second.",
    });
  const [{ loadTokenizer }, { trainingFormat }] = await Promise.all([
    import("../../../processing/tokenizer/index.ts"),
    import("../../../processing/conversation/index.ts"),
  ]);
  const tokenizer = await loadTokenizer(folder);
  const { format, note } = trainingFormat({ name: template, answerEnd }, tokenizer, []);
  if (note !== undefined) report(note);
  return {
    tokenizer,
    format,
    imageTokens: () => imageTokens,
    imageTokenId: -200,
    turnMarks,
    [Symbol.dispose]() {},
  };
}
