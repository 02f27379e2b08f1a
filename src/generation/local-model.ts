import { LlavaError } from "../errors.ts";
import type { PretrainedLlava } from "../models/index.ts";
import type { LoadOptions as ImageLoadOptions } from "../processing/image/index.ts";
import type {
  ChatModel,
  GenerationRequest,
  SamplingOptions,
  StreamPart,
  WrittenMessage,
} from "../protocol/index.ts";
import { requireKnownKeys } from "../spelling.ts";
import {
  type BatchPart,
  type GenerationOptions,
  type GenerationPart,
  generate,
  generateBatch,
} from "./generate.ts";
import { type Prompt, type PromptImages, type PromptInputs, preparePrompt } from "./prompt.ts";

export interface LocalModelOptions {
  /** The name that answers carry. */
  readonly id: string;
  /** Limits for images of prompts, and whether private addresses may be fetched. */
  readonly images?: ImageLoadOptions;
}

export interface AnswerOptions extends SamplingOptions, GenerationOptions {
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
  prefillChunk: true,
  signal: true,
};
const answerKeys = Object.keys(answerOptions);
/** Names of other libraries. */
const synonyms = { max_new_tokens: "maxTokens", max_length: "maxTokens", image: "images", files: "images" };

/** A prompt of a batch, prepared, and what is its own of the sampling. */
export interface BatchPrompt {
  readonly prompt: Prompt;
  readonly inputs: PromptInputs;
  readonly sampling?: SamplingOptions & Pick<AnswerOptions, "ignoreEos">;
}

/** A model in this process. It answers one request after the other, or several in step with `answerBatch`. */
export class LocalModel implements ChatModel, Disposable {
  readonly id: string;
  readonly pretrained: PretrainedLlava;
  readonly #images: ImageLoadOptions;
  #isDisposed = false;

  /** Takes over the model: it is disposed of with this object. */
  constructor(pretrained: PretrainedLlava, { id, images = {} }: LocalModelOptions) {
    this.pretrained = pretrained;
    this.id = id;
    this.#images = images;
  }

  /** Streams the answer to a conversation; a string is a single question. */
  async *chat(
    conversation: string | readonly WrittenMessage[],
    options: ChatOptions = {},
  ): AsyncGenerator<StreamPart, void, undefined> {
    requireKnownKeys(options, { what: "options of chat()", known: [...answerKeys, "images"], synonyms });
    const { images, ...rest } = options;
    const messages =
      typeof conversation === "string" ? [{ role: "user" as const, content: conversation }] : conversation;
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
    using inputs = await this.prepare(prompt, options.signal);
    const row = { ...inputs, ...this.#sampling(prompt, options) };
    yield* this.#whileLoaded(generate(this.pretrained, row, options));
  }

  /**
   * Answers prompts in step, as if each were alone. They come from `prepare` and are not disposed of. A prompt's own
   * `sampling` counts before that of all.
   */
  async *answerBatch(
    prompts: readonly BatchPrompt[],
    options: AnswerOptions = {},
  ): AsyncGenerator<BatchPart, void, undefined> {
    requireKnownKeys(options, { what: "options of answerBatch()", known: answerKeys, synonyms });
    this.#requireLoaded();
    const rows = prompts.map(({ prompt, inputs, sampling = {} }) => ({
      ...inputs,
      ...this.#sampling(prompt, { ...options, ...sampling }),
    }));
    yield* this.#whileLoaded(generateBatch(this.pretrained, rows, options));
  }

  /** What the model reads of a prompt. The caller disposes of it. */
  async prepare(prompt: Prompt, signal?: AbortSignal): Promise<PromptInputs> {
    this.#requireLoaded();
    requireKnownKeys(prompt, {
      what: "a prompt",
      known: ["messages", "raw", "images"],
      synonyms: { prompt: "raw", image: "images" },
    });
    return await preparePrompt(this.pretrained, prompt, { ...this.#images, ...(signal && { signal }) });
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

  #sampling(prompt: Prompt, options: AnswerOptions): AnswerOptions {
    const own = "raw" in prompt || options.ignoreEos ? [] : this.pretrained.promptFormat.stop;
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

async function* streamParts(
  parts: AsyncIterable<GenerationPart>,
): AsyncGenerator<StreamPart, void, undefined> {
  for await (const part of parts) {
    if (part.type === "text-delta") {
      yield part;
      continue;
    }
    const { finishReason: reason, promptTokens, imageTokens, tokenIds } = part.output;
    yield { type: "finish", reason, usage: { promptTokens, imageTokens, completionTokens: tokenIds.length } };
  }
}
