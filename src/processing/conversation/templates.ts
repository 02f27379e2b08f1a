import { LlavaError } from "../../errors.ts";
import {
  type Conversation,
  numberedTurns,
  placeImages,
  type Turn,
  type TurnPart,
  textOf,
} from "./messages.ts";
import type { PromptPiece, TextPiece } from "./prompt.ts";
import { type TemplateData, type TemplateName, type TemplateStyle, templateData } from "./template-data.ts";

interface RenderOptions {
  /** Whether the prompt ends where the assistant is to speak. Default true; false for training. */
  readonly addGenerationPrompt?: boolean;
}

/** A way to write conversations: a named template or a checkpoint's own chat template. */
export interface PromptFormat {
  readonly name: string;
  /** Strings that end an answer, besides the end-of-sequence token. */
  readonly stop: readonly string[];
  /** Strings that begin or end turns, which no answer should hold; `stop` where they are not known. */
  readonly turnMarks?: readonly string[];
  /** Whether nothing in the checkpoint's files says or hints that this is its format. */
  readonly isAssumed?: boolean;
  /** Whether images never stand between control tokens, not even in checkpoints that put such tokens around images. */
  readonly hasBareImages?: boolean;
  /** Throws `prompt` where roles are out of order or the format has no place for a message. */
  render(conversation: Conversation, options?: RenderOptions): PromptPiece[];
}

export const templateNames = Object.keys(templateData) as TemplateName[];

/**
 * The template of this name, its answers ended by `answerEnd` if that is given. Throws `prompt`, listing the names, if
 * there is none.
 */
export function namedTemplate(name: string, answerEnd?: string): PromptFormat {
  if (!Object.hasOwn(templateData, name)) {
    throw new LlavaError("prompt", `Unknown conversation template "${name}"`, {
      hint: `Known are ${templateNames.join(", ")}.`,
    });
  }
  const named: TemplateData = templateData[name as TemplateName];
  const data = answerEnd === undefined ? named : { ...named, answerEnd };
  return {
    name,
    stop: data.style === "plain" ? [] : [data.answerEnd ?? data.separator],
    turnMarks: turnMarksOf(data),
    hasBareImages: data.style === "plain",
    render: (conversation, { addGenerationPrompt = true } = {}) => {
      const { system, turns } = numberedTurns(conversation, addGenerationPrompt);
      const shown = [...(data.examples ?? []), ...(data.tagsImages ? tagged(turns) : turns.map(placed))];
      const pieces = renderers[data.style](data, system, shown, addGenerationPrompt);
      return pieces.filter((piece) => "image" in piece || piece.text !== "");
    },
  };
}

/** Line ends are left out: texts may have them, whatever else they mean. */
function turnMarksOf({ style, user, assistant, separator, answerEnd = "" }: TemplateData): string[] {
  const roles: Readonly<Record<TemplateStyle, readonly string[]>> = {
    single: [`${user}:`, `${assistant}:`],
    two: [`${user}:`, `${assistant}:`],
    mpt: [user, assistant],
    chatml: [user, assistant],
    "gemma-1": [user, assistant],
    plain: [],
    "llama-2": ["[INST]", "[/INST]"],
    "llama-3": ["<|start_header_id|>", "<|end_header_id|>"],
  };
  const marks = [answerEnd, separator, ...roles[style]].map((mark) => mark.trim());
  return [...new Set(marks.filter((mark) => mark !== ""))];
}

const placed = (turn: Turn): Turn => ({ ...turn, parts: placeImages(turn.parts) });

/** Announces the images of the first turn in a turn of their own, which the assistant acknowledges. */
function tagged(turns: readonly Turn[]): Turn[] {
  return turns.flatMap((turn, index): Turn[] => {
    const images = turn.parts
      .filter((part) => "image" in part)
      .flatMap((image) => [{ text: "<Image>" }, image, { text: "</Image>" }]);
    if (images.length === 0) return [turn];
    const text = textOf(turn.parts).trim();
    if (index > 0) return [{ role: "user", parts: [...images, { text: `\n${text}` }] }];
    const acknowledgement: Turn = { role: "assistant", parts: [{ text: "Received." }], isFixed: true };
    return [{ role: "user", parts: images }, acknowledgement, { role: "user", parts: [{ text }] }];
  });
}

const wire = (text: string): TextPiece => ({ text, special: true });
const said = (parts: readonly TurnPart[]): PromptPiece[] =>
  parts.map((part) => ("text" in part ? { text: part.text, special: false } : part));
/** `start` and `end` belong to the answer: they are what the model has to write around it. */
const answer = (turn: Turn, start: string, end: string): PromptPiece[] => {
  const supervised = turn.isFixed !== true;
  return [
    { text: start, special: true, supervised },
    { text: textOf(turn.parts), special: false, supervised },
    { text: end, special: true, supervised },
  ];
};

type Renderer = (
  data: TemplateData,
  system: string | undefined,
  turns: readonly Turn[],
  addGenerationPrompt: boolean,
) => PromptPiece[];

/** The system text: the template's own, or the caller's, which is nobody's to trust. */
const systemPieces = (data: TemplateData, system: string | undefined, end: string): PromptPiece[] => [
  wire(data.systemPrefix ?? ""),
  system === undefined ? wire(data.system) : { text: system, special: false },
  wire(end),
];

const renderTurns = (
  turns: readonly Turn[],
  renderUser: (turn: Turn, index: number) => PromptPiece[],
  renderAnswer: (turn: Turn) => PromptPiece[],
): PromptPiece[] =>
  turns.flatMap((turn, index) => (turn.role === "user" ? renderUser(turn, index) : renderAnswer(turn)));

const colonStyle: Renderer = (data, system, turns, addGenerationPrompt) => [
  ...systemPieces(data, system, data.separator),
  ...renderTurns(
    turns,
    (turn) => [wire(`${data.user}: `), ...said(turn.parts), wire(data.separator)],
    (turn) => [wire(`${data.assistant}:`), ...answer(turn, " ", data.answerEnd ?? data.separator)],
  ),
  wire(addGenerationPrompt ? `${data.assistant}:` : ""),
];

const markedTurns =
  (afterTurn: string): Renderer =>
  (data, system, turns, addGenerationPrompt) => [
    ...(system === undefined && data.system === ""
      ? []
      : systemPieces(data, system, data.separator + afterTurn)),
    ...renderTurns(
      turns,
      (turn) => [wire(data.user), ...said(turn.parts), wire(data.separator + afterTurn)],
      (turn) => [
        wire(data.assistant),
        ...answer(turn, "", data.answerEnd ?? data.separator),
        wire(afterTurn),
      ],
    ),
    wire(addGenerationPrompt ? data.assistant : ""),
  ];

const renderers: Readonly<Record<TemplateStyle, Renderer>> = {
  single: colonStyle,
  two: colonStyle,
  mpt: markedTurns(""),
  chatml: markedTurns("\n"),

  "gemma-1": (data, system, turns, addGenerationPrompt) => {
    if (system !== undefined) {
      throw new LlavaError("prompt", "gemma_instruct has no place for a system message", {
        hint: "Put the instructions into the first user message.",
      });
    }
    return markedTurns("\n")(data, undefined, turns, addGenerationPrompt);
  },

  // The alignment stage pairs a picture with its caption and nothing else: instructions are left out.
  plain: (data, system, turns) => [
    ...systemPieces(data, system, ""),
    ...renderTurns(
      turns,
      (turn) => {
        const images = turn.parts.filter((part) => "image" in part);
        return said(images.length > 0 ? images : turn.parts);
      },
      (turn) => answer(turn, "", data.answerEnd ?? data.separator),
    ),
  ],

  "llama-2": (data, system, turns) =>
    renderTurns(
      turns,
      (turn, index) => {
        const hasSystem = index === 0 && (system ?? data.system) !== "";
        return [
          wire(index === 0 ? "[INST] " : `${data.separator}[INST] `),
          ...(hasSystem ? [wire("<<SYS>>\n"), ...systemPieces(data, system, "\n<</SYS>>\n\n")] : []),
          ...said(turn.parts),
          wire(" [/INST]"),
        ];
      },
      (turn) => answer(turn, " ", ` ${data.answerEnd ?? ""}`),
    ),

  "llama-3": (data, system, turns, addGenerationPrompt) => {
    const header = (role: string) => wire(`<|start_header_id|>${role}<|end_header_id|>\n\n`);
    return [
      wire("<|begin_of_text|>"),
      header("system"),
      ...systemPieces(data, system?.trim(), data.separator),
      ...renderTurns(
        turns,
        (turn) => [header(data.user), ...said(trimmed(turn.parts)), wire(data.separator)],
        (turn) => [
          header(data.assistant),
          ...answer({ ...turn, parts: trimmed(turn.parts) }, "", data.answerEnd ?? data.separator),
        ],
      ),
      ...(addGenerationPrompt ? [header(data.assistant)] : []),
    ];
  },
};

/** Without the space around what is said, which may reach over several parts but not past an image. */
function trimmed(parts: readonly TurnPart[]): TurnPart[] {
  const shown = [...parts];
  trimEnd(shown, 0, "trimStart");
  trimEnd(shown, -1, "trimEnd");
  return shown;
}

function trimEnd(parts: TurnPart[], end: 0 | -1, trim: "trimStart" | "trimEnd"): void {
  for (let part = parts.at(end); part !== undefined && "text" in part; part = parts.at(end)) {
    const text = part.text[trim]();
    parts.splice(end, 1, ...(text === "" ? [] : [{ text }]));
    if (text !== "") return;
  }
}
