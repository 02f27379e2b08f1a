import { setTimeout as wait } from "node:timers/promises";
import { LlavaError } from "../../src/errors.ts";
import { openEncoded } from "../../src/processing/image/index.ts";
import { openVideo } from "../../src/processing/video/index.ts";
import {
  ContextFullError,
  type MediumTokens,
  type Message,
  OverloadedError,
  PartError,
  type PromptTokens,
  type ServedModel,
  type ServedPart,
  type ServedPrompt,
  type ServedRequest,
  type ServedState,
} from "../../src/protocol/index.ts";

/** Tokens of an image; frames have one each. */
export const imageTokens = 4;
const placeholder = 256;

export interface FakeModelOptions {
  readonly id?: string;
  readonly contextLength?: number;
  readonly queueLimit?: number;
  /** Added to the limit of the queue; 0. */
  readonly maxRunning?: number;
  /** Milliseconds that a token takes. */
  readonly pace?: number;
  /** What it answers; the last message's text without it. */
  readonly answer?: (request: ServedRequest, choice: number) => string;
}

/** A served model without weights: its tokens are bytes, and it says what it is told to. */
export class FakeServedModel implements ServedModel {
  readonly id: string;
  readonly contextLength: number;
  readonly modalities = ["text", "image", "video"] as const;
  readonly vocabularySize = 257;
  readonly queueLimit: number;
  readonly maxRunning: number;
  /** Requests as they came. */
  readonly asked: ServedRequest[] = [];
  /** Requests that were aborted or given up. */
  stopped = 0;
  stepMilliseconds = 0;
  readonly #pace: number;
  readonly #answer: (request: ServedRequest, choice: number) => string;
  #running = 0;
  #prompted = 0;
  #generated = 0;

  constructor({
    id = "fake",
    contextLength = 2048,
    queueLimit = 1000,
    maxRunning = 0,
    pace = 0,
    answer = echo,
  }: FakeModelOptions = {}) {
    this.id = id;
    this.contextLength = contextLength;
    this.queueLimit = queueLimit;
    this.maxRunning = maxRunning;
    this.#pace = pace;
    this.#answer = answer;
  }

  async tokens(prompt: ServedPrompt): Promise<PromptTokens> {
    if ("ids" in prompt) return { text: undefined, ids: prompt.ids, imageTokens: 0, media: [] };
    if ("raw" in prompt)
      return {
        text: prompt.raw,
        ids: [...Buffer.from(prompt.raw)],
        imageTokens: prompt.images?.length ?? 0,
        media: [],
      };
    const ids: number[] = [];
    const media: MediumTokens[] = [];
    let text = "";
    const add = (more: string): void => {
      text += more;
      ids.push(...Buffer.from(more));
    };
    for (const [index, { role, content }] of prompt.messages.entries()) {
      add(`${role}: `);
      for (const [at, part] of (typeof content === "string"
        ? [{ type: "text", text: content } as const]
        : content
      ).entries()) {
        if (part.type === "text") add(part.text);
        else {
          const count = part.type === "image" ? imageTokens : await framesOf(part.video, index, at);
          if (part.type === "image")
            await (await openEncoded(part.image as Uint8Array)).decode().catch(refused(index, at));
          text += "<image>";
          media.push({ tokens: count, columns: 1, rows: 1 });
          ids.push(...Array.from({ length: count }, () => placeholder));
        }
      }
      if (!(prompt.continuesFinal && index === prompt.messages.length - 1)) add("\n");
    }
    if (!prompt.continuesFinal) add("assistant: ");
    return { text, ids, imageTokens: media.reduce((sum, { tokens }) => sum + tokens, 0), media };
  }

  async detokenize(ids: readonly number[]): Promise<string> {
    return Buffer.from(ids.filter((id) => id < placeholder)).toString();
  }

  async pieces(ids: readonly number[]): Promise<Uint8Array[]> {
    return ids.map((id) => (id < placeholder ? Uint8Array.of(id) : Buffer.from("<image>")));
  }

  requireRoom(): void {
    if (this.#running >= this.queueLimit + this.maxRunning) throw new OverloadedError("Too much waits.", 3);
  }

  async *answer(request: ServedRequest): AsyncGenerator<ServedPart, void, undefined> {
    this.asked.push(request);
    this.requireRoom();
    const { signal, sampling = {}, choices = 1 } = request;
    if (sampling.constraint?.type === "regex" && sampling.constraint.pattern === "(")
      throw new LlavaError("usage", "the regular expression is none");
    this.#running++;
    let hasEnded = false;
    try {
      const prompt = await this.tokens(request.prompt);
      const promptTokens = prompt.ids.length;
      if (promptTokens >= this.contextLength)
        throw new ContextFullError(promptTokens, prompt.imageTokens, this.contextLength);
      this.#prompted += promptTokens;
      const base = { promptTokens, imageTokens: prompt.imageTokens };
      yield { type: "prompt", usage: { ...base, completionTokens: 0 } };
      for (let choice = 0; choice < choices; choice++) {
        const text = this.#answer(request, choice);
        const { end, matched } = endOf(text, sampling.stop ?? []);
        const bytes = Buffer.from(text.slice(0, end));
        const most = Math.min(sampling.maxTokens ?? Infinity, this.contextLength - promptTokens);
        const decoder = new TextDecoder();
        let drawn = 0;
        for (const byte of bytes.subarray(0, most)) {
          if (this.#pace > 0) await wait(this.#pace);
          if (signal?.aborted) return yield finish(choice, "aborted", base, drawn);
          drawn++;
          this.#generated++;
          yield {
            type: "delta",
            choice,
            text: decoder.decode(Uint8Array.of(byte), { stream: true }),
            ...(sampling.topLogprobs !== undefined && { tokens: [tokenOf(byte, sampling.topLogprobs)] }),
          };
        }
        const isCut = bytes.length > most;
        const ended = finish(choice, isCut ? "length" : "stop", base, drawn);
        yield { ...ended, ...(matched !== undefined && !isCut && { matched }) };
      }
      hasEnded = true;
    } finally {
      this.#running--;
      if (!hasEnded) this.stopped++;
    }
  }

  state(): ServedState {
    return {
      running: this.#running,
      waiting: 0,
      memory: { keyValues: 0, vision: 0, media: 0, budget: 1 },
      promptTokens: this.#prompted,
      cachedTokens: 0,
      generatedTokens: this.#generated,
      towerImages: 0,
      visionHits: 0,
      preemptions: 0,
      steps: this.#generated,
      secondsOfAnswer: 1,
      stepMilliseconds: this.stepMilliseconds,
    };
  }
}

/** The words of the last message. */
export const wordsOf = (message: Message | undefined): string => {
  const content = message?.content ?? "";
  return typeof content === "string"
    ? content
    : content.map((part) => (part.type === "text" ? part.text : "")).join("");
};

const echo = ({ prompt }: ServedRequest): string =>
  "messages" in prompt
    ? wordsOf(prompt.messages.at(-1))
    : "raw" in prompt
      ? prompt.raw
      : `${prompt.ids.length} ids`;

const finish = (
  choice: number,
  reason: "stop" | "length" | "aborted",
  base: { readonly promptTokens: number; readonly imageTokens: number },
  completionTokens: number,
) => ({ type: "finish", choice, reason, usage: { ...base, completionTokens } }) as const;

const tokenOf = (id: number, top: number) => ({
  id,
  bytes: Uint8Array.of(id),
  logprob: -0.5,
  top: Array.from({ length: top }, (_, at) => ({
    id: (id + at) % 256,
    bytes: Uint8Array.of((id + at) % 256),
    logprob: -0.5 - at,
  })),
});

/** Where a text ends before the first of its stop strings, and which that is. */
function endOf(text: string, stops: readonly string[]): { end: number; matched: string | undefined } {
  const found = stops
    .map((stop) => ({ end: text.indexOf(stop), matched: stop }))
    .filter(({ end }) => end >= 0);
  return found.sort((one, other) => one.end - other.end)[0] ?? { end: text.length, matched: undefined };
}

const refused = (message: number, part: number) => (error: unknown) => {
  throw error instanceof LlavaError ? new PartError(error, message, part) : error;
};

async function framesOf(
  video: Parameters<typeof openVideo>[0],
  message: number,
  part: number,
): Promise<number> {
  const { times } = await openVideo(video).catch(refused(message, part));
  return times.length;
}
