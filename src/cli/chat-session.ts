import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { LlavaError } from "../errors.ts";
import type { ChatModel, ContentPart, Message, SamplingOptions } from "../protocol/index.ts";
import { imageOf, parseChatLine } from "./chat-line.ts";
import { printable } from "./printable.ts";

export interface ChatSessionOptions {
  readonly model: ChatModel;
  readonly sampling: SamplingOptions;
  readonly system?: string | undefined;
  /** For the first question. */
  readonly images: readonly string[];
  readonly input: Readable;
  readonly output: Writable;
  /** Whether a person sits in front of it: shows a prompt, and Ctrl-C arrives as a key. */
  readonly terminal: boolean;
  /** Ends the session. */
  readonly signal?: AbortSignal;
}

const help = `Type a question; put the path or address of an image in it, or before it.
  /image PATH   add an image to the next question
  /reset        forget the conversation and its images
  /exit         leave (as does Ctrl-D)
Ctrl-C stops an answer.`;

/**
 * Talks with a model until the input ends. Questions and answers are remembered, images with them; an answer that was
 * stopped is remembered as far as it came. A question that fails is told about and forgotten.
 * @returns false when Ctrl-C ended it
 */
export async function chatSession(options: ChatSessionOptions): Promise<boolean> {
  const { model, sampling, system, input, output, terminal } = options;
  const print = (line: string): void => void output.write(`${line}\n`);
  let history: Message[] = [];
  let images = [...options.images];
  let answering: AbortController | undefined;
  let warned = false;
  let interrupted = false;
  let closed = false;

  const lines = createInterface({ input, output, terminal, prompt: terminal ? "> " : "" });
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
    print("\n(Ctrl-C again or /exit leaves)");
    lines.prompt();
  });

  const answer = async (text: string): Promise<void> => {
    const content: ContentPart[] = [
      ...images.map((image) => ({ type: "image" as const, image })),
      { type: "text", text },
    ];
    const asked: Message[] = [...history, { role: "user", content }];
    const messages: Message[] =
      system === undefined ? asked : [{ role: "system", content: system }, ...asked];
    answering = new AbortController();
    let said = "";
    try {
      for await (const part of model.generate({ messages, sampling, signal: answering.signal })) {
        if (part.type === "text-delta") {
          said += part.text;
          output.write(terminal ? printable(part.text) : part.text);
        } else if (part.reason === "length") output.write(" …");
      }
      output.write("\n");
      history = [...asked, { role: "assistant", content: said }];
      images = [];
    } catch (error) {
      if (!(error instanceof LlavaError)) throw error;
      print(error.code === "aborted" ? "" : `${error.message}${error.hint ? `\n${error.hint}` : ""}`);
      images = [];
    } finally {
      answering = undefined;
    }
  };

  const run = (command: string, argument: string): void => {
    if (command === "reset") {
      history = [];
      images = [];
      print("The conversation begins anew.");
    } else if (command === "image") {
      const image = imageOf(argument) ?? imageOf(`"${argument}"`);
      if (image === undefined) print(`${argument || "/image"}: no such image file`);
      else addImages([image]);
    } else print(help);
  };

  const addImages = (added: readonly string[]): void => {
    images.push(...added);
    print(`${images.length === 1 ? "1 image" : `${images.length} images`} for the next question`);
  };

  if (terminal) print("Ask about an image; /help lists the commands.");
  lines.prompt();
  for await (const line of lines) {
    warned = false;
    const parsed = parseChatLine(line);
    if ("command" in parsed && parsed.command === "exit") break;
    if ("command" in parsed) run(parsed.command, parsed.argument);
    else if (parsed.text !== "") {
      images.push(...parsed.images);
      await answer(parsed.text);
    } else if (parsed.images.length > 0) addImages(parsed.images);
    if (interrupted) break;
    if (!closed) lines.prompt();
  }
  lines.close();
  if (terminal) print("");
  return !interrupted;
}
