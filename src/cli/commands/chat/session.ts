import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { LlavaError } from "../../../errors.ts";
import {
  type ChatModel,
  ContextFullError,
  type MediaSource,
  type Message,
  type SamplingOptions,
  userMessage,
} from "../../../protocol/index.ts";
import { mediumOf } from "../../frame/media-options.ts";
import { printable } from "../../frame/printable.ts";
import { type CommandEffect, runCommand } from "./commands.ts";
import { Conversation, imagesOfTurns, type Turn } from "./conversation.ts";
import { findImages } from "./image-words.ts";
import { parseChatLine } from "./line.ts";
import { MessageLines, type TypedMessage } from "./message-lines.ts";
import { marksNoPastes, marksPastes, PasteReader } from "./paste-reader.ts";

export interface ChatSessionOptions {
  readonly model: ChatModel;
  readonly sampling: SamplingOptions;
  readonly system?: string | undefined;
  /** For the first question. */
  readonly images: readonly MediaSource[];
  readonly input: Readable;
  readonly output: Writable;
  /** Whether a person sits in front of it: shows a prompt, and Ctrl-C arrives as a key. */
  readonly terminal: boolean;
  /** Ends the session. */
  readonly signal?: AbortSignal;
}

/** Tokens of the context that are kept for an answer when turns are left out, and the part of the context at most. */
const [answerRoom, answerShare] = [512, 1 / 4];

/**
 * Talks with a model until the input ends. Questions and answers are remembered, images with them; an answer that was
 * stopped is remembered as far as it came. A question that fails is told about and forgotten. Where the context is full the
 * oldest turns are left out, which is told.
 * @returns false when Ctrl-C ended it
 */
export async function chatSession(options: ChatSessionOptions): Promise<boolean> {
  const { model, sampling, input, output, terminal } = options;
  const print = (line: string): void => void output.write(`${terminal ? printable(line) : line}\n`);
  const conversation = new Conversation(options.system);
  let images = [...options.images];
  let answering: AbortController | undefined;
  let warned = false;
  let interrupted = false;
  let closed = false;

  const pastes = terminal ? new PasteReader(input) : undefined;
  const lines = createInterface({ input: pastes ?? input, output, terminal, prompt: terminal ? "> " : "" });
  const typed = new MessageLines();
  const prompt = (): void => {
    if (closed) return;
    if (terminal) lines.setPrompt(typed.isOpen ? "… " : "> ");
    lines.prompt();
  };
  lines.on("close", () => {
    closed = true;
  });
  const leave = (): void => {
    interrupted = true;
    answering?.abort();
    lines.close();
  };
  options.signal?.addEventListener("abort", leave, { once: true });
  lines.on("SIGINT", () => {
    if (answering !== undefined && !answering.signal.aborted) return answering.abort();
    if (answering !== undefined || warned) return leave();
    warned = true;
    typed.cancel();
    print("\n(Ctrl-C again or /exit leaves)");
    prompt();
  });

  /** @throws what the model does, before it has said anything */
  const ask = async (question: Message, dropped: readonly Turn[]): Promise<void> => {
    let said = "";
    let notice = noticeOf(dropped);
    const { signal } = answering!;
    for await (const part of model.generate({
      messages: conversation.messages(question),
      sampling,
      signal,
    })) {
      if (notice !== undefined) print(notice);
      notice = undefined;
      if (part.type === "text-delta") {
        said += part.text;
        output.write(terminal ? printable(part.text) : part.text);
        continue;
      }
      const { reason, usage } = part;
      if (reason === "length") output.write(" …");
      if (reason === "length" && usage.completionTokens < (sampling.maxTokens ?? answerRoom))
        output.write(
          "\n(the context is full: the next question leaves out the oldest turns; /reset begins anew)",
        );
      conversation.add(question, said, usage.promptTokens + usage.completionTokens);
    }
    output.write("\n");
  };

  const answer = async (question: Message): Promise<void> => {
    const { turns } = conversation;
    const dropped: Turn[] = [];
    answering = new AbortController();
    try {
      for (;;)
        try {
          return await ask(question, dropped);
        } catch (error) {
          if (!(error instanceof ContextFullError) || conversation.turns.length === 0) throw error;
          const room = Math.min(sampling.maxTokens ?? answerRoom, error.contextLength * answerShare);
          dropped.push(...conversation.shorten(error, room));
        }
    } catch (error) {
      conversation.turns = turns;
      if (!(error instanceof LlavaError)) throw error;
      if (error.code === "aborted") return print("");
      tell(error, error instanceof ContextFullError ? tooLong(conversation) : error.hint);
      if (images.length > 0) print(`(the question and its ${count(images.length, "image")} are forgotten)`);
    } finally {
      images = [];
      answering = undefined;
    }
  };

  const tell = ({ message }: LlavaError, hint: string | undefined): void =>
    print(hint ? `${message}\n${hint}` : message);

  const askText = (text: string): Promise<void> => answer(userMessage(text, images));

  const addImages = (added: readonly string[]): void => {
    images.push(...added.map(mediumOf));
    print(`${count(images.length, "image")} for the next question`);
  };

  const follow = async (effect: CommandEffect): Promise<void> => {
    if (effect.forgetsImages) images = [];
    if (effect.says !== undefined) print(effect.says);
    if (effect.images !== undefined) addImages(effect.images);
    if (effect.asks !== undefined) await askText(effect.asks);
    if (effect.answers !== undefined) await answer(effect.answers);
  };

  /** The message that a line completes. What is pasted in it has no marks of its own, and begins no command. */
  const taken = (line: string): TypedMessage | undefined => {
    const expanded = pastes?.expand(line) ?? line;
    if (expanded === line || typed.isOpen) return typed.take(expanded);
    return { text: expanded, isFenced: !line.trimStart().startsWith("/") };
  };

  /** @returns whether the session goes on */
  const run = async ({ text, isFenced }: TypedMessage): Promise<boolean> => {
    try {
      const parsed = isFenced ? findImages(text) : parseChatLine(text);
      if ("command" in parsed) {
        const effect = await runCommand(parsed.command, parsed.argument, conversation);
        await follow(effect);
        return effect.leaves !== true;
      }
      for (const address of parsed.addresses)
        print(`(${address} stays text; /image ${address} shows it to the model)`);
      if (parsed.text !== "") {
        images.push(...parsed.images.map(mediumOf));
        await askText(parsed.text);
      } else if (parsed.images.length > 0) addImages(parsed.images);
    } catch (error) {
      if (!(error instanceof LlavaError)) throw error;
      const isCommand = !isFenced && /^\s*\/[a-z]+(\s|$)/i.test(text);
      tell(error, isCommand ? error.hint : `${error.hint ?? ""} /text asks a line as it is.`.trim());
    }
    return true;
  };

  try {
    if (terminal) output.write(marksPastes);
    if (terminal) print("Ask about an image; /help lists the commands.");
    prompt();
    for await (const line of lines) {
      warned = false;
      const message = taken(line);
      if (message !== undefined && !(await run(message))) break;
      if (interrupted) break;
      prompt();
    }
    const rest = interrupted ? undefined : typed.finish();
    if (rest !== undefined) await run(rest);
  } finally {
    lines.close();
    pastes?.detach();
    if (terminal) output.write(marksNoPastes);
  }
  if (terminal) print("");
  return !interrupted;
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

function noticeOf(dropped: readonly Turn[]): string | undefined {
  if (dropped.length === 0) return undefined;
  const shown = imagesOfTurns(dropped);
  const turns =
    dropped.length === 1
      ? "oldest question and answer are"
      : `${dropped.length} oldest questions and answers are`;
  const gone = shown === 0 ? "" : `, and with them ${count(shown, "image")}`;
  return `(the context is full: the ${turns} left out${gone}; /reset begins anew)`;
}

const tooLong = ({ system }: Conversation): string =>
  `Ask in fewer words or with fewer images${system === undefined ? "" : ", or shorten the system message (/system)"}.`;
