import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { readJsonFile, strayKind } from "../../files/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { videoMark } from "./image-marks.ts";
import { type Node, parseTemplate } from "./jinja.ts";
import {
  type NumberedTurns,
  numberedTurns,
  placeImages,
  type Turn,
  type TurnPart,
  textOf,
} from "./messages.ts";
import { requireImageCount } from "./prompt.ts";
import type { PromptFormat } from "./templates.ts";
import { isTimeUp, withinTime } from "./time-limit.ts";
import { type MediaMarks, piecesOf } from "./tracked-pieces.ts";
import { joined, source as speaker, type TrackedText, tracked } from "./tracked-text.ts";
import { renderTracked, type TemplateValue } from "./tracking-interpreter.ts";

export interface ChatTemplateOptions {
  /** Gives the texts of the begin, end and special tokens. */
  readonly tokenizer: Tokenizer;
  /** What the template writes for an image part. Default `<image>`. */
  readonly imageToken?: string;
  /** Most milliseconds that parsing or rendering may take: 2,000 by default. Templates come with downloaded weights. */
  readonly timeLimit?: number;
}

const TIME_LIMIT = 2_000;

/**
 * A prompt format from a checkpoint's Jinja template. Throws `checkpoint` if the template does not parse;
 * rendering throws `prompt` with what the template has to complain about.
 */
export function chatTemplate(
  source: string,
  { tokenizer, imageToken = "<image>", timeLimit = TIME_LIMIT }: ChatTemplateOptions,
): PromptFormat {
  let template: Node;
  try {
    template = withinTime(timeLimit, () => parseTemplate(source));
  } catch (error) {
    throw new LlavaError(
      "checkpoint",
      `The checkpoint's chat template (chat_template.jinja, or in its JSON files) does not parse: ${(error as Error).message}`,
      {
        hint: "Name a conversation template to use instead.",
        cause: error,
      },
    );
  }
  const tokenText = (id: number | undefined) => (id === undefined ? "" : (tokenizer.idToToken(id) ?? ""));
  const endTokens = [...tokenizer.specialTokens.keys()]
    .filter((token) => token !== imageToken && token !== videoMark)
    .sort((a, b) => b.length - a.length);
  const takesParts = readsParts(source);
  const knowsVideos = takesParts && /['"]video['"]/.test(source);
  return {
    name: "chat template of the checkpoint",
    stop: [],
    render: (conversation, { addGenerationPrompt = true } = {}) => {
      const numbered = numberedTurns(conversation, addGenerationPrompt, { takesSystemLater: true });
      const media = numbered.turns.flatMap(({ parts }) => parts.filter((part) => "image" in part));
      const rendered = render(template, timeLimit, {
        messages: takesParts ? messagesOfParts(numbered, knowsVideos) : messagesOfText(numbered, imageToken),
        add_generation_prompt: addGenerationPrompt,
        bos_token: tokenText(tokenizer.bosId),
        eos_token: tokenText(tokenizer.eosId),
        unk_token: tokenText(tokenizer.unkId),
        pad_token: tokenText(tokenizer.padId),
      });
      requireSystem(numbered.turns, rendered.text);
      const pieces = piecesOf(rendered, marksOf(imageToken, knowsVideos ? media : []), endTokens);
      requireImageCount(pieces.filter((piece) => "image" in piece).length, media.length);
      return pieces;
    },
  };
}

function render(
  template: Node,
  timeLimit: number,
  variables: Readonly<Record<string, TemplateValue>>,
): TrackedText {
  try {
    return withinTime(timeLimit, () => renderTracked(template, variables));
  } catch (error) {
    if (isTimeUp(error))
      throw new LlavaError(
        "checkpoint",
        `The checkpoint's chat template did not come to an end in ${timeLimit} ms`,
        {
          hint: "Name a conversation template to use instead.",
          cause: error,
        },
      );
    throw new LlavaError(
      "prompt",
      `The chat template refuses the conversation: ${(error as Error).message}`,
      {
        hint: "Change the messages, or name a conversation template to use instead.",
        cause: error,
      },
    );
  }
}

/** @throws LlavaError "prompt" where the template wrote nothing of a system message that is not the first */
function requireSystem(turns: readonly Turn[], rendered: string): void {
  let at = 0;
  for (const { role, parts } of turns) {
    const text = textOf(parts).trim();
    const found = rendered.indexOf(text, at);
    if (found >= 0) at = found + text.length;
    else if (role === "system")
      throw new LlavaError("prompt", "The chat template has no place for a system message after the first", {
        hint: "Put what it says into the first message, or into the user's.",
      });
  }
}

/** Whether a template looks at the `type` of content parts; the others expect strings. */
const readsParts = (source: string): boolean =>
  /\[\s*['"]type['"]\s*\]|\.type\b|selectattr\(\s*['"]type['"]/.test(source);

const said = (text: string, role: string): TrackedText =>
  tracked(text, role === "assistant" ? speaker.answer : speaker.said);

function messagesOfText({ system, turns }: NumberedTurns, imageToken: string): TemplateValue[] {
  const first = system === undefined ? [] : [{ role: "system", content: said(system, "system") }];
  return [...first, ...turns.map((turn) => ({ role: turn.role, content: textOfTurn(turn, imageToken) }))];
}

/** A turn as one string, in which the template sees `imageToken` where images go. */
function textOfTurn({ role, parts }: Turn, imageToken: string): TrackedText {
  const show = (part: TurnPart) =>
    "text" in part ? said(part.text, role) : tracked(imageToken, speaker.firstImage + part.image);
  return joined(placeImages(parts).map(show));
}

/** What a template writes for media, each with the numbers of those that it stands for; images alone where it knows no videos. */
function marksOf(imageToken: string, media: readonly { image: number; isVideo?: boolean }[]): MediaMarks {
  const videos = media.filter(({ isVideo }) => isVideo);
  if (videos.length === 0) return { [imageToken]: undefined };
  const images = media.filter(({ isVideo }) => !isVideo);
  return { [imageToken]: images.map(({ image }) => image), [videoMark]: videos.map(({ image }) => image) };
}

function messagesOfParts({ system, turns }: NumberedTurns, knowsVideos: boolean): TemplateValue[] {
  const textPart = (text: TrackedText) => ({ type: "text", text });
  const first = system === undefined ? [] : [{ role: "system", content: [textPart(said(system, "system"))] }];
  return [
    ...first,
    ...turns.map(({ role, parts }) => ({
      role,
      content: parts.map((part) =>
        "image" in part
          ? { type: part.isVideo && knowsVideos ? "video" : "image" }
          : textPart(said(part.text, role)),
      ),
    })),
  ];
}

/**
 * The chat template of a checkpoint folder, from `chat_template.jinja`, `chat_template.json` or
 * `tokenizer_config.json` (one template, or the one named "default" of several); `undefined` if it has none.
 */
export async function readChatTemplate(folder: string): Promise<string | undefined> {
  const path = join(folder, "chat_template.jinja");
  const jinja = await readFile(path).catch(() => undefined);
  if (jinja !== undefined) {
    const kind = strayKind(jinja);
    if (kind === undefined) return jinja.toString("utf8");
    throw new LlavaError("checkpoint", `${path} is ${kind.what}; expected a chat template`, {
      hint: kind.hint,
    });
  }
  for (const name of ["chat_template.json", "processor_config.json", "tokenizer_config.json"]) {
    const template = defaultTemplate((await readJsonFile(join(folder, name)))?.["chat_template"]);
    if (template !== undefined) return template;
  }
  return undefined;
}

function defaultTemplate(value: unknown): string | undefined {
  if (!Array.isArray(value)) return typeof value === "string" ? value : undefined;
  const named = value as { name: string; template: string }[];
  return (named.find(({ name }) => name === "default") ?? named[0])?.template;
}
