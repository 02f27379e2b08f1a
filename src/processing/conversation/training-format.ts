import { LlavaError } from "../../errors.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { answerEndOf } from "./answer-end.ts";
import { choosePromptFormat, type FormatChoice } from "./choose-format.ts";
import type { PromptFormat } from "./templates.ts";

/** A choice as plain data; a tokenizer makes a format of it. */
export type PlainChoice = Omit<FormatChoice, "tokenizer">;

/**
 * A model's own choice, or that of a template that was asked for instead.
 * @throws LlavaError "config" for an answer end without a template
 */
export function requestedFormat(
  own: PlainChoice,
  {
    template,
    answerEnd,
  }: { readonly template?: string | undefined; readonly answerEnd?: string | undefined },
): PlainChoice {
  if (template !== undefined) return { ...own, name: template, answerEnd };
  if (answerEnd === undefined) return own;
  throw new LlavaError("config", "an answer end (data.answerEnd) goes with a template (data.template)", {
    hint: "The model's own chat template has its own ending, or is given the model's end token.",
  });
}

/** How rows are written for training. */
export interface TrainingFormat {
  readonly choice: PlainChoice;
  readonly format: PromptFormat;
  /** What a user should know of the ends of answers; undefined where they are the format's own and generation stops there. */
  readonly note?: string;
}

/**
 * The format that a choice stands for, with answers that end in a token at which generation stops (see `stopIdsFor`). Some
 * chat templates, written for inference alone, end answers with nothing: there the model's own end token is put behind each.
 */
export function trainingFormat(
  choice: PlainChoice,
  tokenizer: Tokenizer,
  stopIds: readonly number[],
): TrainingFormat {
  const format = choosePromptFormat({ ...choice, tokenizer });
  const end = answerEndOf(format, tokenizer);
  if (end === undefined || end.id !== undefined) return { choice, format };
  const found = `${format.name} ends answers with ${end.text === "" ? "nothing" : JSON.stringify(end.text)}`;
  const eosId = tokenizer.eosId ?? stopIds[0];
  const eos = eosId === undefined ? undefined : tokenizer.idToToken(eosId);
  if (format.stop.some((stop) => stop !== "" && end.text.trim().endsWith(stop.trim())))
    return { choice, format, note: `${found}, which is no token: other programs may not stop there` };
  if (choice.name === undefined && eos !== undefined) {
    const ended = { ...choice, answerEnd: eos };
    const endedFormat = choosePromptFormat({ ...ended, tokenizer });
    if (answerEndOf(endedFormat, tokenizer)?.id === eosId)
      return {
        choice: ended,
        format: endedFormat,
        note: `${found}: training puts ${JSON.stringify(eos)} behind each, so that the model learns to stop`,
      };
  }
  const other = "name another template (data.template)";
  const remedy =
    choice.name === undefined || eos === undefined
      ? other
      : `set data.answerEnd to ${JSON.stringify(eos)}, or ${other}`;
  return { choice, format, note: `${found}, where generation does not stop: ${remedy}` };
}
