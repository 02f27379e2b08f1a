import { LlavaError } from "../errors.ts";
import type { FinishReason, Message, SamplingOptions } from "./chat.ts";
import type { ImageSource } from "./image-source.ts";
import type { Usage } from "./usage.ts";

/** What every answer must be: any JSON, JSON of a schema, a text that a regular expression matches, or that a Lark grammar derives. */
export type AnswerConstraint =
  | { readonly type: "json" }
  | { readonly type: "json-schema"; readonly schema: unknown }
  | { readonly type: "regex"; readonly pattern: string }
  | { readonly type: "grammar"; readonly grammar: string };

/** How the tokens of a served answer are drawn, and what is told of them. */
export interface ServedSampling extends SamplingOptions {
  /** Taken from the logits of each token of the answer so far, once a time it stands there. */
  readonly frequencyPenalty?: number;
  /** Taken from the logits of each token of the answer so far, once. */
  readonly presencePenalty?: number;
  /** Added to the logits of token ids. */
  readonly logitBias?: ReadonlyMap<number, number>;
  /** Ids that end the answer besides the model's own. */
  readonly stopIds?: readonly number[];
  /** Tokens before which no end token and no stop id is drawn. */
  readonly minTokens?: number;
  /** Whether end tokens are tokens like others. */
  readonly ignoreEos?: boolean;
  /** Likeliest tokens told beside each token, 0 for its own log probability alone; none if left out. */
  readonly topLogprobs?: number;
  readonly constraint?: AnswerConstraint;
}

/** A conversation whose media are bytes, a text that is read as it stands, or the ids of one. */
export type ServedPrompt =
  | {
      readonly messages: readonly Message[];
      /** Whether the last message, the assistant's, is gone on with instead of answered. */
      readonly continuesFinal?: boolean;
      /** Frames read of each video, in the place of the model's own number. */
      readonly frames?: number;
      /** Frames read of each video at most, none of them twice. */
      readonly mostFrames?: number;
    }
  /** No words of it are special. With `images`, none of them too, they are: `<image>` is where one stands, in order. */
  | { readonly raw: string; readonly images?: readonly ImageSource[] }
  | { readonly ids: readonly number[] };

export interface ServedRequest {
  readonly prompt: ServedPrompt;
  readonly sampling?: ServedSampling;
  /** Answers to one prompt; 1. With a seed, answer i is drawn with seed + i. */
  readonly choices?: number;
  /** Whose request it is: turns go round the owners, and what is cached of one is never told another's usage. */
  readonly owner?: string;
  /** Only requests with the same salt share what is cached. */
  readonly salt?: string;
  /** Lower goes first among the requests of all owners; 0. */
  readonly priority?: number;
  readonly signal?: AbortSignal;
}

export interface TokenProbability {
  readonly id: number;
  /** What it adds to the answer, which may be part of a character. */
  readonly bytes: Uint8Array;
  /** Natural logarithm, of the model's own distribution before temperature, penalties and constraints. */
  readonly logprob: number;
}

export interface ServedToken extends TokenProbability {
  readonly top: readonly TokenProbability[];
}

export type ServedPart =
  /** The first part: the prompt has been read. */
  | { readonly type: "prompt"; readonly usage: Usage }
  /** Complete characters, possibly none, and the tokens that they came of where log probabilities were asked for. */
  | {
      readonly type: "delta";
      readonly choice: number;
      readonly text: string;
      readonly tokens?: readonly ServedToken[];
    }
  /** One for each choice. */
  | {
      readonly type: "finish";
      readonly choice: number;
      readonly reason: FinishReason;
      /** The stop string or id that ended it, where it was no end token of the model's own. */
      readonly matched?: string | number;
      readonly usage: Usage;
    };

/** What an image or a video of a prompt comes to. */
export interface MediumTokens {
  readonly tokens: number;
  /** Of an image that is cut into tiles, how many stand beside and above each other; 1 of others. */
  readonly columns: number;
  readonly rows: number;
}

/** What a prompt comes to. */
export interface PromptTokens {
  /** With image marks where images stand; undefined for a prompt of ids. */
  readonly text: string | undefined;
  /** A placeholder for each token of an image. */
  readonly ids: readonly number[];
  readonly imageTokens: number;
  /** Each of its images and videos, in the order of the prompt. */
  readonly media: readonly MediumTokens[];
}

/** Where an engine stands: gauges now, and counters since it began. */
export interface ServedState {
  readonly running: number;
  readonly waiting: number;
  /** Bytes of keys and values, of images' features, of media and bodies under way, and what all may come to. */
  readonly memory: {
    readonly keyValues: number;
    readonly vision: number;
    readonly media: number;
    readonly budget: number;
  };
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly generatedTokens: number;
  /** Images that the tower has seen, and those that it did not have to. */
  readonly towerImages: number;
  readonly visionHits: number;
  readonly preemptions: number;
  readonly steps: number;
  /** What answers take, the latest counting most. */
  readonly secondsOfAnswer: number;
  /** Milliseconds that the step under way has taken; 0 between steps. */
  readonly stepMilliseconds: number;
}

/** A model that answers many requests at once, each as if it were alone. */
export interface ServedModel {
  readonly id: string;
  readonly contextLength: number;
  readonly modalities: readonly ("text" | "image" | "video")[];
  /** Of its vocabulary: ids of requests are below it. */
  readonly vocabularySize: number;
  /** Requests that wait at most; more are refused by `OverloadedError`. */
  readonly queueLimit: number;
  /** Whether one request more may wait, which `answer` asks too: those that may not are refused before their media are read. @throws OverloadedError */
  requireRoom(): void;
  /** @throws LlavaError "prompt", "image", "video"; `PartError` where one part of a message is at fault */
  tokens(prompt: ServedPrompt, signal?: AbortSignal): Promise<PromptTokens>;
  /** Ids → text, special tokens in full. */
  detokenize(ids: readonly number[]): Promise<string>;
  /** The text of each id alone, as bytes. */
  pieces(ids: readonly number[]): Promise<readonly Uint8Array[]>;
  /**
   * Errors are thrown from the iterator: as of `tokens`, `ContextFullError`, `OverloadedError`. Abort and `return` free all
   * that the request held by the next step.
   */
  answer(request: ServedRequest): AsyncIterable<ServedPart>;
  state(): ServedState;
}

/** Too much waits already. */
export class OverloadedError extends LlavaError {
  /** Seconds after which a place is likely to be free. */
  readonly retryAfter: number;

  constructor(message: string, retryAfter: number) {
    super("overloaded", message, { hint: `Try again in ${retryAfter} s.` });
    this.retryAfter = retryAfter;
  }
}

/** Says when a place is likely to be free. @param waiting requests that wait */
export const tooManyWait = (
  waiting: number,
  {
    queueLimit,
    maxRunning,
    secondsOfAnswer,
  }: { readonly queueLimit: number; readonly maxRunning: number; readonly secondsOfAnswer: number },
): OverloadedError =>
  new OverloadedError(
    `${waiting} requests wait already; the limit is ${queueLimit}`,
    Math.max(1, Math.ceil((secondsOfAnswer * (waiting + 1)) / maxRunning)),
  );

/** One part of a message that cannot be read. */
export class PartError extends LlavaError {
  /** Index of the message and of its part. */
  readonly messageIndex: number;
  readonly partIndex: number;

  constructor(cause: LlavaError, messageIndex: number, partIndex: number) {
    super(cause.code, cause.message, { ...(cause.hint !== undefined && { hint: cause.hint }), cause });
    this.messageIndex = messageIndex;
    this.partIndex = partIndex;
  }
}
