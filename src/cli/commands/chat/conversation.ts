import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LlavaError } from "../../../errors.ts";
import { parseJson, readDataFile, writeAtomically } from "../../../files/index.ts";
import { readMessages } from "../../../processing/conversation/index.ts";
import type { ContentPart, ContextFullError, ImageSource, Message } from "../../../protocol/index.ts";
import { isFile, missing } from "./image-words.ts";

/** A question and its answer. */
export interface Turn {
  readonly question: Message;
  readonly answer: Message;
  /** That they added to the conversation; an estimate where it was not counted. */
  readonly tokens: number;
}

/** What was said in a chat, to be asked on, shortened, written to a file and read from one. */
export class Conversation {
  system: string | undefined;
  turns: readonly Turn[] = [];
  /** Those that this conversation was read from or written to. */
  readonly #files = new Set<string>();

  constructor(system: string | undefined) {
    this.system = system;
  }

  /** All that was said, with a question behind it. */
  messages(question?: Message): Message[] {
    return [
      ...(this.system === undefined ? [] : [{ role: "system" as const, content: this.system }]),
      ...this.turns.flatMap((turn) => [turn.question, turn.answer]),
      ...(question === undefined ? [] : [question]),
    ];
  }

  /** @param tokens of the whole conversation, this turn included */
  add(question: Message, answer: string, tokens: number): void {
    const before = this.turns.reduce((sum, turn) => sum + turn.tokens, 0);
    const turn = {
      question,
      answer: { role: "assistant" as const, content: answer },
      tokens: Math.max(0, tokens - before),
    };
    this.turns = [...this.turns, turn];
  }

  /** Leaves out the oldest turns, one at least, until about `room` tokens are free for an answer. */
  shorten({ promptTokens, contextLength }: ContextFullError, room: number): readonly Turn[] {
    const left = [...this.turns];
    const dropped: Turn[] = [];
    for (
      let tokens = promptTokens;
      left.length > 0 && (dropped.length === 0 || tokens > contextLength - room);
    ) {
      const turn = left.shift()!;
      dropped.push(turn);
      tokens -= turn.tokens;
    }
    this.turns = left;
    return dropped;
  }

  /**
   * Writes the messages as a JSON list, images by their whole paths.
   * @throws LlavaError "usage" for a file of somebody else
   */
  async save(path: string): Promise<void> {
    const file = resolve(path);
    if (existsSync(file) && !this.#files.has(file))
      throw new LlavaError("usage", `${path} is there already, and not of this conversation`, {
        hint: "Give another name.",
      });
    const messages = this.messages().map((message) => withSources(message, (image) => wholePath(image, ".")));
    writeAtomically(file, [`${JSON.stringify(messages, null, 2)}\n`]);
    this.#files.add(file);
  }

  /**
   * Takes up the conversation of a file: a JSON list of messages, or an object with `messages`. Image paths count from the
   * file's folder.
   * @returns the question that it ends with, if it has no answer
   * @throws LlavaError "data", "prompt" or "image" for what cannot be read; nothing is changed then
   */
  async load(path: string): Promise<Message | undefined> {
    const file = resolve(path);
    const text = await readDataFile(file);
    let json: unknown;
    try {
      json = parseJson(text);
    } catch (cause) {
      throw new LlavaError("data", `${path}: not valid JSON: ${(cause as Error).message}`, {
        hint: "A conversation is a JSON list of messages, such as /save writes.",
        cause,
      });
    }
    const list = Array.isArray(json) ? json : (json as { messages?: unknown } | null)?.messages;
    const messages = readMessages(list).map((message) =>
      withSources(message, (image) => wholePath(image, dirname(file))),
    );
    const system = messages[0]?.role === "system" ? messages.shift() : undefined;
    for (const [index, { role, content }] of messages.entries()) {
      if (role !== (index % 2 === 0 ? "user" : "assistant"))
        throw new LlavaError("prompt", `${path}: user and assistant do not take turns`, {
          hint: "A system message comes first, if any; then a question and an answer follow each other.",
        });
      for (const { image } of partsOf(content).filter((part) => part.type === "image"))
        if (typeof image === "string" && !isAddress(image) && !isFile(image)) throw missing(image, [image]);
    }
    this.system = system === undefined ? undefined : textOf(system);
    this.turns = messages.flatMap((question, index): Turn[] => {
      const answer = messages[index + 1];
      if (index % 2 === 1 || answer === undefined) return [];
      return [{ question, answer, tokens: estimate(question) + estimate(answer) }];
    });
    this.#files.add(file);
    return messages.length % 2 === 0 ? undefined : messages.at(-1);
  }
}

/** How many images the turns show. */
export const imagesOfTurns = (turns: readonly Turn[]): number =>
  turns.reduce(
    (sum, { question }) => sum + partsOf(question.content).filter(({ type }) => type !== "text").length,
    0,
  );

const partsOf = (content: Message["content"]): readonly ContentPart[] =>
  typeof content === "string" ? [{ type: "text", text: content }] : content;
const textOf = ({ content }: Message): string =>
  partsOf(content)
    .map((part) => (part.type === "text" ? part.text : ""))
    .join("");

/** Tokens of a message that no model has counted yet: four letters each, and what small models see of an image. */
const estimate = (message: Message): number =>
  Math.ceil(textOf(message).length / 4) +
  64 * partsOf(message.content).filter(({ type }) => type === "image").length;

const isAddress = (image: string): boolean => /^[a-z][a-z0-9+.-]+:/i.test(image);
const wholePath = (image: ImageSource, folder: string): ImageSource =>
  typeof image === "string" && !isAddress(image) ? resolve(folder, image) : image;

function withSources(message: Message, change: (image: ImageSource) => ImageSource): Message {
  if (typeof message.content === "string") return message;
  const content = message.content.map((part): ContentPart => {
    if (part.type === "image") return { ...part, image: change(part.image) };
    if (part.type === "text") return part;
    const { video } = part;
    const changed =
      "path" in video
        ? { path: String(change(video.path)) }
        : { ...video, frames: video.frames.map((frame) => change(frame)) };
    return { ...part, video: changed };
  });
  return { ...message, content };
}
