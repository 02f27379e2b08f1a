import { type Command, Option } from "commander";
import type { RowEncoding } from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import type { CommandContext } from "../context.ts";
import { count } from "../model-options.ts";

/** What `addEncodingOptions` reads. */
export interface EncodingFlags {
  readonly model?: string;
  readonly tokenizer?: string;
  readonly template?: string;
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
    .option("--image-tokens <n>", "tokens of an image, with --tokenizer", count, 576)
    .option("--keep-marks", "let answers hold what marks turns, such as </s>, as ordinary text");

/** How rows become ids, and what to dispose of afterwards; undefined without a tokenizer. */
export async function openEncoding(
  { model, tokenizer: folder, template, imageTokens, keepMarks }: EncodingFlags,
  { progress, report, signal }: CommandContext,
): Promise<(RowEncoding & Disposable) | undefined> {
  const turnMarks = keepMarks ? "keep" : "refuse";
  if (model !== undefined) {
    const { ensureNative, resolveModel } = await import("../../setup/index.ts");
    await ensureNative({ progress, report });
    const { loadPretrained } = await import("../../models/index.ts");
    const resolved = await resolveModel(model, { progress, report, signal: signal() });
    const pretrained = await loadPretrained(resolved, { ...(template !== undefined && { template }) });
    return {
      tokenizer: pretrained.tokenizer,
      format: pretrained.promptFormat,
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
  const [{ loadTokenizer }, { namedTemplate }] = await Promise.all([
    import("../../processing/tokenizer/index.ts"),
    import("../../processing/conversation/index.ts"),
  ]);
  return {
    tokenizer: await loadTokenizer(folder),
    format: namedTemplate(template),
    imageTokens: () => imageTokens,
    imageTokenId: -200,
    turnMarks,
    [Symbol.dispose]() {},
  };
}
