import type { LlavaError } from "../errors.ts";
import type { ImageSource } from "./image-source.ts";
import type { Usage } from "./usage.ts";
import { type MediaSource, mediaPart, type VideoPart } from "./video.ts";

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

export interface ImagePart {
  readonly type: "image";
  readonly image: ImageSource;
  /** "low": of an image that would be cut into tiles (AnyRes) only the overview is seen. */
  readonly detail?: "low";
}

export type ContentPart = TextPart | ImagePart | VideoPart;

/** An image as OpenAI's chat completions spell it. Here every image is seen as the model is used to, whatever `detail` asks. */
export interface ImageUrlPart {
  readonly type: "image_url";
  readonly image_url: string | { readonly url: string; readonly detail?: "auto" | "low" | "high" };
}

/** An image as Hugging Face's chat templates spell it; without a source it is the next of the images given beside. */
export interface NamedImagePart {
  readonly type: "image";
  readonly url?: string;
  readonly path?: string;
  readonly base64?: string;
}

export type Role = "system" | "user" | "assistant";

/** One turn. User and assistant alternate; a system message comes first, or later where the prompt format has a place for it. */
export interface Message {
  readonly role: Role;
  readonly content: string | readonly ContentPart[];
}

/** A question: images and videos, then the text. */
export const userMessage = (text: string, media: readonly MediaSource[] = []): Message => ({
  role: "user",
  content: [...media.map(mediaPart), { type: "text", text }],
});

/** A message as callers may write it: with others' spellings of parts, and `<image>` in the text where an image goes. */
export interface WrittenMessage {
  readonly role: Role;
  readonly content: string | readonly (ContentPart | ImageUrlPart | NamedImagePart)[];
}

/** How tokens are drawn. What is left out takes the model's own default. */
export interface SamplingOptions {
  /** Most tokens to generate. */
  readonly maxTokens?: number;
  /** 0 takes the likeliest token each time. */
  readonly temperature?: number;
  /** Draw from the fewest tokens whose probabilities reach this sum, in (0, 1]. */
  readonly topP?: number;
  /** Draw from this many likeliest tokens. */
  readonly topK?: number;
  /** Draw from tokens at least this fraction as likely as the likeliest. */
  readonly minP?: number;
  /** Divides positive and multiplies negative logits of tokens already seen; 1 changes nothing. */
  readonly repetitionPenalty?: number;
  /** The same seed and request give the same answer on the same machine. */
  readonly seed?: number;
  /** Strings that end the answer and are not part of it. */
  readonly stop?: readonly string[];
}

export interface GenerationRequest {
  readonly messages: readonly Message[];
  readonly sampling?: SamplingOptions;
  readonly signal?: AbortSignal;
}

/**
 * `stop`: the model or a stop string ended the answer. `length`: the token budget did. `aborted`: the caller did.
 * `filtered`: an endpoint's content filter did. `refused`: the endpoint marks the answer as a refusal, which is its text.
 */
export type FinishReason = "stop" | "length" | "aborted" | "filtered" | "refused";

export interface TextDelta {
  readonly type: "text-delta";
  /** Complete characters, never empty. */
  readonly text: string;
}

export interface Finish {
  readonly type: "finish";
  readonly reason: FinishReason;
  readonly usage: Usage;
  /** The model that the answer itself names; an endpoint's may be another than the one that was asked for. */
  readonly model?: string | undefined;
}

/** A stream is any number of text deltas and then one finish. */
export type StreamPart = TextDelta | Finish;

export interface GenerationResult {
  readonly text: string;
  readonly reason: FinishReason;
  readonly usage: Usage;
  /** As in `Finish`. */
  readonly model?: string | undefined;
}

export interface ChatModel {
  /** The name that requests and answers carry. */
  readonly id: string;
  /** Errors are thrown from the iterator; an abort ends it with the reason `aborted`. */
  generate(request: GenerationRequest): AsyncIterable<StreamPart>;
}

/** A request of several, which are stopped together. */
export type BatchRequest = Omit<GenerationRequest, "signal">;

/** An answer, or why there is none. */
export type Reply = GenerationResult | LlavaError;

/** A model that answers several requests at once. */
export interface BatchModel {
  /** The name that answers carry. */
  readonly id: string;
  /** What decides its answers besides the name, such as a digest of its weights. */
  readonly identity: string;
  /** Requests that it answers at once. */
  readonly batchSize: number;
  /**
   * A reply to each request, in their order, as if each were alone; an abort ends those under way with the reason `aborted`.
   * Errors that are not about a request are thrown.
   */
  answerAll(requests: readonly BatchRequest[], signal?: AbortSignal): Promise<readonly Reply[]>;
}
