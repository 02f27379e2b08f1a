import { LlavaError } from "../errors.ts";
import type { PretrainedLlava } from "../pretrained/index.ts";
import type { ImageLoadOptions } from "../processing/image/index.ts";
import type { VideoRequest } from "../processing/processor/index.ts";
import {
  type BatchModel,
  type BatchRequest,
  type ChatModel,
  type GenerationRequest,
  type Reply,
  type SamplingOptions,
  type StreamPart,
  userMessage,
  type WrittenMessage,
} from "../protocol/index.ts";
import { requireKnownKeys } from "../spelling.ts";
import { Engine } from "./engine.ts";
import { decodingOf, generate, runAll } from "./generate.ts";
import type { BeamSettings, GenerationOptions } from "./input.ts";
import { type BatchPart, type GenerationPart, usageOf } from "./output.ts";
import { type Prompt, type PromptImages, type PromptInputs, preparePrompt } from "./prompt.ts";

export interface LocalModelOptions {
  /** The name that answers carry. */
  readonly id: string;
  /** What decides its answers besides the name; the name alone if left out. */
  readonly identity?: string;
  /** Requests that `answerAll` answers side by side; 8. */
  readonly batchSize?: number;
  /** Limits for images of prompts, and whether private addresses may be fetched. */
  readonly images?: ImageLoadOptions;
}

export interface AnswerOptions extends SamplingOptions, BeamSettings, GenerationOptions, VideoRequest {
  /** Linear factor of positions, for prompts that are longer than the model was trained with (see `PromptOptions`). */
  readonly ropeFactor?: number | "auto";
  /** Told what the model reads, before it answers. */
  readonly onPrompt?: (inputs: PromptInputs) => void;
  /** Whether end tokens and the prompt format's own stop strings do not end the answer. */
  readonly ignoreEos?: boolean;
}

export interface ChatOptions extends AnswerOptions {
  /** In the places of `<image>`; where no message has it, in front of the last one. */
  readonly images?: PromptImages;
}

const answerOptions: Readonly<Record<keyof AnswerOptions, true>> = {
  maxTokens: true,
  temperature: true,
  topK: true,
  topP: true,
  minP: true,
  repetitionPenalty: true,
  seed: true,
  stop: true,
  ignoreEos: true,
  beams: true,
  lengthPenalty: true,
  prefillChunk: true,
  recordsSteps: true,
  frames: true,
  fps: true,
  ropeFactor: true,
  onPrompt: true,
  signal: true,
};
const answerKeys = Object.keys(answerOptions);
/** Names of other libraries. */
const synonyms = { max_new_tokens: "maxTokens", max_length: "maxTokens", image: "images", files: "images" };

/** Of answers, what decides how a prompt is read. */
type PrepareOptions = Pick<AnswerOptions, "frames" | "fps" | "ropeFactor" | "maxTokens" | "signal">;

/** A prompt of a batch, and what is its own of the sampling. */
export interface BatchPrompt {
  readonly prompt: Prompt;
  readonly sampling?: Omit<AnswerOptions, keyof GenerationOptions> | undefined;
}

/** Why the prompt at index `row` gets no answer. */
export interface BatchRefusal {
  readonly row: number;
  readonly error: LlavaError;
}

/** A model in this process. It answers one request after the other, or several side by side. */
export class LocalModel implements ChatModel, BatchModel, Disposable {
  readonly id: string;
  readonly identity: string;
  readonly batchSize: number;
  readonly pretrained: PretrainedLlava;
  readonly #images: ImageLoadOptions;
  #isDisposed = false;

  /** Takes over the model: it is disposed of with this object. */
  constructor(
    pretrained: PretrainedLlava,
    { id, identity = id, batchSize = 8, images = {} }: LocalModelOptions,
  ) {
    if (!(Number.isInteger(batchSize) && batchSize > 0))
      throw new LlavaError("usage", `batchSize must be a whole number above 0, got ${batchSize}`);
    this.pretrained = pretrained;
    this.id = id;
    this.identity = identity;
    this.batchSize = batchSize;
    this.#images = images;
  }

  /** Streams the answer to a conversation; a string is a single question. */
  async *chat(
    conversation: string | readonly WrittenMessage[],
    options: ChatOptions = {},
  ): AsyncGenerator<StreamPart, void, undefined> {
    requireKnownKeys(options, { what: "options of chat()", known: [...answerKeys, "images"], synonyms });
    const { images, ...rest } = options;
    const messages = typeof conversation === "string" ? [userMessage(conversation)] : conversation;
    yield* streamParts(this.answer({ messages, ...(images && { images }) }, rest));
  }

  async *generate(request: GenerationRequest): AsyncGenerator<StreamPart, void, undefined> {
    const { messages, sampling = {}, signal } = request;
    requireKnownKeys(request, { what: "a request", known: ["messages", "sampling", "signal"], synonyms });
    requireKnownKeys(sampling, { what: "sampling", known: answerKeys, synonyms });
    yield* streamParts(this.answer({ messages }, { ...sampling, ...(signal && { signal }) }));
  }

  /** As `chat`, with token ids and timings in the finish. */
  async *answer(
    prompt: Prompt,
    options: AnswerOptions = {},
  ): AsyncGenerator<GenerationPart, void, undefined> {
    requireKnownKeys(options, { what: "options of answer()", known: answerKeys, synonyms });
    using inputs = await this.prepare(prompt, options);
    options.onPrompt?.(inputs);
    const row = { ...this.#sampling(prompt, options), ...inputs };
    yield* this.#whileLoaded(generate(this.pretrained, row, options));
  }

  /**
   * Answers prompts side by side, as if each were alone. A prompt's own `sampling` counts before that of all. One that
   * cannot be answered takes no other with it: it gets a refusal in the place of parts.
   */
  async *answerBatch(
    prompts: readonly BatchPrompt[],
    options: AnswerOptions = {},
  ): AsyncGenerator<BatchPart | BatchRefusal, void, undefined> {
    requireKnownKeys(options, { what: "options of answerBatch()", known: answerKeys, synonyms });
    this.#requireLoaded();
    using held = new DisposableStack();
    const engine = held.use(new Engine(this.pretrained.model, options));
    const sequences = [];
    const rows: number[] = [];
    for (const [row, { prompt, sampling = {} }] of prompts.entries())
      try {
        requireKnownKeys(sampling, { what: "sampling", known: answerKeys, synonyms });
        const own = { ...options, ...sampling };
        const inputs = held.use(await this.prepare(prompt, own));
        own.onPrompt?.(inputs);
        sequences.push(decodingOf(this.pretrained, { ...this.#sampling(prompt, own), ...inputs }));
        rows.push(row);
      } catch (error) {
        this.#requireLoaded(error);
        if (!(error instanceof LlavaError) || error.code === "aborted") throw error;
        yield { row, error };
      }
    for await (const { row, part } of this.#whileLoaded(runAll(engine, sequences, options.signal)))
      yield { row: rows[row]!, part };
  }

  async answerAll(requests: readonly BatchRequest[], signal?: AbortSignal): Promise<readonly Reply[]> {
    const replies: Reply[] = [];
    for (let start = 0; start < requests.length; start += this.batchSize) {
      const prompts = requests
        .slice(start, start + this.batchSize)
        .map(({ messages, sampling }) => ({ prompt: { messages }, sampling }));
      for await (const answered of this.answerBatch(prompts, { signal })) {
        const place = start + answered.row;
        if ("error" in answered) replies[place] = refusal(answered.error);
        else if (answered.part.type === "finish") {
          const { output } = answered.part;
          replies[place] = { text: output.text, reason: output.finishReason, usage: usageOf(output) };
        }
      }
    }
    return replies;
  }

  /** What the model reads of a prompt. The caller disposes of it. */
  async prepare(prompt: Prompt, options: PrepareOptions = {}): Promise<PromptInputs> {
    this.#requireLoaded();
    requireKnownKeys(prompt, {
      what: "a prompt",
      known: ["messages", "raw", "images"],
      synonyms: { prompt: "raw", image: "images" },
    });
    const { frames, fps, ropeFactor, maxTokens, signal } = options;
    requireVideoRequest(options);
    return await preparePrompt(this.pretrained, prompt, {
      ...this.#images,
      ...(signal && { signal }),
      ...(frames !== undefined && { frames }),
      ...(fps !== undefined && { fps }),
      ...(ropeFactor !== undefined && { ropeFactor }),
      ...(maxTokens !== undefined && { maxTokens }),
    });
  }

  /** An answer under way when the model is disposed of meets tensors that are gone. */
  async *#whileLoaded<T>(parts: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
    try {
      yield* parts;
    } catch (error) {
      this.#requireLoaded(error);
      throw error;
    }
  }

  #requireLoaded(cause?: unknown): void {
    if (!this.#isDisposed) return;
    throw new LlavaError("usage", `the model ${this.id} was disposed of: it cannot answer any more`, {
      hint: "Load it again (loadModel), and dispose of a model after its last answer.",
      cause,
    });
  }

  #sampling(prompt: Prompt, { ropeFactor: _, ...options }: AnswerOptions): Omit<AnswerOptions, "ropeFactor"> {
    const own = "raw" in prompt || options.ignoreEos ? [] : this.pretrained.processor.promptFormat.stop;
    const { stop = [] } = options;
    return { ...options, stop: [...(typeof stop === "string" ? [stop] : stop), ...own] };
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.pretrained[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** @throws LlavaError "usage" */
function requireVideoRequest({ frames, fps, ropeFactor }: PrepareOptions): void {
  if (frames !== undefined && frames !== "auto" && !(Number.isInteger(frames) && frames > 0))
    throw new LlavaError("usage", `frames must be a whole number above 0 or "auto", got ${frames}`);
  if (fps !== undefined && !(fps > 0)) throw new LlavaError("usage", `fps must be above 0, got ${fps}`);
  if (ropeFactor !== undefined && ropeFactor !== "auto" && !(ropeFactor >= 1 && ropeFactor <= 64))
    throw new LlavaError("usage", `ropeFactor must be from 1 to 64 or "auto", got ${ropeFactor}`);
}

async function* streamParts(
  parts: AsyncIterable<GenerationPart>,
): AsyncGenerator<StreamPart, void, undefined> {
  for await (const part of parts) {
    if (part.type === "text-delta") {
      yield part;
      continue;
    }
    const { output } = part;
    yield { type: "finish", reason: output.finishReason, usage: usageOf(output) };
  }
}

/** An error of one request's prompt or image; others are not about the request. */
function refusal(error: LlavaError): LlavaError {
  if (["prompt", "image", "video", "network"].includes(error.code)) return error;
  throw error;
}
