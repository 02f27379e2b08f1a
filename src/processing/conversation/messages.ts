import { LlavaError } from "../../errors.ts";
import type { MediaSource, Message, Role, TextPart } from "../../protocol/index.ts";

/** The place of an image or a video. Which one stands there is of no concern to a prompt. */
export interface MediaSlot {
  readonly type: "image" | "video";
}

/** What prompts are rendered of: messages, whatever they know of their images. */
export type Conversation = readonly {
  readonly role: Role;
  readonly content: string | readonly (TextPart | MediaSlot)[];
}[];

/** A turn ready to render: images and videos are numbered through the conversation, in one row. */
export interface Turn {
  readonly role: Role;
  readonly parts: readonly TurnPart[];
  /** Whether the turn belongs to the template: nobody said it, and it is not trained. */
  readonly isFixed?: boolean;
}

export type TurnPart =
  | { readonly text: string }
  | { readonly image: number /** Whether it is a video. */; readonly isVideo?: boolean };

export interface NumberedTurns {
  /** What the caller's system message says; `undefined` if there is none. */
  readonly system: string | undefined;
  readonly turns: readonly Turn[];
}

const partsOf = <Part extends TextPart | MediaSlot>(
  content: string | readonly Part[],
): readonly (Part | TextPart)[] =>
  typeof content === "string" ? [{ type: "text", text: content }] : content;

/** All images and videos of a conversation in the order in which prompts number them. */
export const mediaOf = (messages: readonly Message[]): MediaSource[] =>
  messages
    .flatMap(({ content }) => partsOf(content))
    .flatMap((part): readonly MediaSource[] =>
      part.type === "text" ? [] : [part.type === "image" ? part.image : part.video],
    );

/** How closely each of them is to be seen, where that is said. */
export const detailsOf = (messages: readonly Message[]): ("low" | undefined)[] =>
  messages
    .flatMap(({ content }) => partsOf(content))
    .flatMap((part) => (part.type === "text" ? [] : [part.type === "image" ? part.detail : undefined]));

export const countSlots = (conversation: Conversation): number =>
  conversation.flatMap(({ content }) => partsOf(content)).filter(({ type }) => type !== "text").length;

/**
 * Checks the order of roles and numbers the images. Throws `prompt` for a system message after the start unless the format
 * takes them anywhere, turns that don't alternate beginning with the user, images outside user turns, or an answer that is
 * already there when one is asked for.
 */
export function numberedTurns(
  messages: Conversation,
  addGenerationPrompt: boolean,
  { takesSystemLater = false } = {},
): NumberedTurns {
  const first = messages[0]?.role === "system" ? 1 : 0;
  let images = 0;
  let spoken = 0;
  const turns = messages.slice(first).map(({ role, content }, index): Turn => {
    const isSystem = role === "system" && takesSystemLater;
    const expected = spoken % 2 === 0 ? "user" : "assistant";
    if (!isSystem) spoken++;
    if (role !== expected && !isSystem) {
      throw new LlavaError(
        "prompt",
        `Message ${first + index + 1} is from "${role}", expected "${expected}"`,
        {
          hint: "Put a system message first, if any; then user and assistant take turns, beginning with the user.",
        },
      );
    }
    const parts = partsOf(content).map(
      (part): TurnPart =>
        part.type === "text"
          ? { text: part.text }
          : { image: images++, ...(part.type === "video" && { isVideo: true }) },
    );
    if (role !== "user") requireNoImage(parts, role);
    return { role, parts };
  });
  if (turns.length === 0) throw new LlavaError("prompt", "The conversation has no user message");
  if (addGenerationPrompt && turns.findLast(({ role }) => role !== "system")?.role === "assistant") {
    throw new LlavaError("prompt", 'The last message is from "assistant", expected "user"', {
      hint: "End the conversation with the message that is to be answered.",
    });
  }
  if (first === 0) return { system: undefined, turns };
  const system = partsOf(messages[0]!.content).map((part) =>
    part.type === "text" ? { text: part.text } : { image: 0 },
  );
  requireNoImage(system, "system");
  return { system: textOf(system), turns };
}

function requireNoImage(parts: readonly TurnPart[], role: string): void {
  if (parts.some((part) => "image" in part)) {
    throw new LlavaError("prompt", `A message from "${role}" holds an image; only user messages may`);
  }
}

/** The text of a turn, its images left out. */
export const textOf = (parts: readonly TurnPart[]): string =>
  parts.map((part) => ("text" in part ? part.text : "")).join("");

/**
 * Places images as in training: a single image goes first, on a line of its own, and the text is trimmed.
 * Several images keep their places, each followed by a line break unless the text brings its own.
 */
export function placeImages(parts: readonly TurnPart[]): TurnPart[] {
  const images = parts.filter((part) => "image" in part);
  if (images.length === 0) return parts.filter((part) => "image" in part || part.text !== "");
  if (images.length === 1) {
    const text = textOf(parts).trim();
    return [images[0]!, { text: text === "" ? "\n" : `\n${text}` }];
  }
  return parts.flatMap((part, index): TurnPart[] => {
    if ("text" in part) return part.text === "" ? [] : [part];
    const next = parts[index + 1];
    const hasBreak = next !== undefined && "text" in next && /^\s/.test(next.text);
    return hasBreak ? [part] : [part, { text: "\n" }];
  });
}
