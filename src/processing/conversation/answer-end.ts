import { LlavaError } from "../../errors.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { jinjaString } from "./jinja.ts";
import type { Conversation } from "./messages.ts";
import { tokenizePrompt } from "./prompt.ts";
import type { PromptFormat } from "./templates.ts";

/** What a format trains answers to end in. */
export interface AnswerEnd {
  /** The last id of answers where all end in the same special token. */
  readonly id?: number;
  /** What is trained behind an answer's own text. */
  readonly text: string;
}

const spoken = "A";
const probe: Conversation = [
  { role: "user", content: "Q" },
  { role: "assistant", content: spoken },
  { role: "user", content: "Q" },
  { role: "assistant", content: spoken },
];

/** Found by rendering a conversation; undefined where the format refuses it, or trains nothing in it. */
export function answerEndOf(format: PromptFormat, tokenizer: Tokenizer): AnswerEnd | undefined {
  try {
    const pieces = format.render(probe, { addGenerationPrompt: false });
    const images = { imageTokens: () => 0, imageTokenId: -1 };
    const { inputIds, segments } = tokenizePrompt(pieces, tokenizer, images);
    const ends = segments
      .filter(({ supervised }) => supervised)
      .map(({ start, length }) => inputIds[start + length - 1]!);
    if (ends.length === 0) return undefined;
    const special = new Set(tokenizer.specialTokens.values());
    const isOne = ends.length === 2 && ends.every((id) => id === ends[0] && special.has(id));
    const said = pieces.map((piece) => ("text" in piece && piece.supervised ? piece.text : "\0")).join("");
    const text = said.slice(said.lastIndexOf(spoken) + spoken.length).replace(/\0.*$/s, "");
    return isOne ? { id: ends[0]!, text } : { text };
  } catch (error) {
    if (error instanceof LlavaError) return undefined;
    throw error;
  }
}

/** Ids that end an answer: those that the checkpoint states, the tokenizer's end of text, and the format's own end. */
export function stopIdsFor(
  stated: readonly number[],
  format: PromptFormat,
  tokenizer: Tokenizer,
): readonly number[] {
  const own = [tokenizer.eosId, answerEndOf(format, tokenizer)?.id];
  return [...new Set([...stated, ...own.filter((id) => id !== undefined)])];
}

/**
 * A chat template that puts `end` behind each answer: it is given the answers with it. For templates that end answers
 * with nothing, so that a model would never learn to stop.
 */
export const withAnswerEnd = (jinja: string, end: string): string =>
  `{%- set ended = namespace(messages=[]) %}
{%- for message in messages %}
{%- if message['role'] != 'assistant' or not message['content'] %}
{%- set ended.messages = ended.messages + [message] %}
{%- elif message['content'] is string %}
{%- set ended.messages = ended.messages + [{'role': 'assistant', 'content': message['content'] + ${jinjaString(end)}}] %}
{%- else %}
{%- set last = {'type': 'text', 'text': message['content'][-1]['text'] + ${jinjaString(end)}} %}
{%- set ended.messages = ended.messages + [{'role': 'assistant', 'content': message['content'][:-1] + [last]}] %}
{%- endif %}
{%- endfor %}
{%- set messages = ended.messages %}
${jinja}`;
