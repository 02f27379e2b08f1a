import type { PretrainedLlava } from "../models/index.ts";
import type { LoadOptions as ImageLoadOptions } from "../processing/image/index.ts";
import type {
  ChatModel,
  ContentPart,
  GenerationRequest,
  ImageSource,
  Message,
  SamplingOptions,
  StreamPart,
} from "../protocol/index.ts";
import {
  type BatchPart,
  type GenerationOptions,
  type GenerationPart,
  generate,
  generateBatch,
} from "./generate.ts";
import { type Prompt, type PromptInputs, preparePrompt } from "./prompt.ts";

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
  /** Put in front of the last message. */
  readonly images?: readonly ImageSource[];
}

/** A model in this process. It answers one request after the other, or several in step with `answerBatch`. */
export class LocalModel implements ChatModel, Disposable {
  readonly id: string;
  readonly pretrained: PretrainedLlava;
  readonly #images: ImageLoadOptions;

  /** Takes over the model: it is disposed of with this object. */
  constructor(pretrained: PretrainedLlava, { id, images = {} }: LocalModelOptions) {
    this.pretrained = pretrained;
    this.id = id;
    this.#images = images;
  }

  /** Streams the answer to a conversation; a string is a single question. */
  chat(conversation: string | readonly Message[], options: ChatOptions = {}): AsyncIterable<StreamPart> {
    const { images = [], ...rest } = options;
    const messages =
      typeof conversation === "string" ? [{ role: "user" as const, content: conversation }] : conversation;
    return streamParts(this.answer({ messages: withImages(messages, images) }, rest));
  }

  generate({ messages, sampling, signal }: GenerationRequest): AsyncIterable<StreamPart> {
    return streamParts(this.answer({ messages }, { ...sampling, signal }));
  }

  /** As `chat`, with token ids and timings in the finish. */
  async *answer(
    prompt: Prompt,
    options: AnswerOptions = {},
  ): AsyncGenerator<GenerationPart, void, undefined> {
    using inputs = await this.prepare(prompt, options.signal);
    yield* generate(this.pretrained, { ...inputs, ...this.#sampling(prompt, options) }, options);
  }

  /** Answers prompts in step, as if each were alone. They come from `prepare` and are not disposed of. */
  answerBatch(
    prompts: readonly { readonly prompt: Prompt; readonly inputs: PromptInputs }[],
    options: AnswerOptions = {},
  ): AsyncGenerator<BatchPart, void, undefined> {
    const rows = prompts.map(({ prompt, inputs }) => ({ ...inputs, ...this.#sampling(prompt, options) }));
    return generateBatch(this.pretrained, rows, options);
  }

  /** What the model reads of a prompt. The caller disposes of it. */
  prepare(prompt: Prompt, signal?: AbortSignal): Promise<PromptInputs> {
    return preparePrompt(this.pretrained, prompt, { ...this.#images, ...(signal && { signal }) });
  }

  #sampling(prompt: Prompt, options: AnswerOptions): AnswerOptions {
    const own = "raw" in prompt || options.ignoreEos ? [] : this.pretrained.promptFormat.stop;
    return { ...options, stop: [...(options.stop ?? []), ...own] };
  }

  dispose(): void {
    this.pretrained[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function withImages(messages: readonly Message[], images: readonly ImageSource[]): readonly Message[] {
  const last = messages.at(-1);
  if (last === undefined || images.length === 0) return messages;
  const text =
    typeof last.content === "string" ? [{ type: "text" as const, text: last.content }] : last.content;
  const content: ContentPart[] = [...images.map((image) => ({ type: "image" as const, image })), ...text];
  return [...messages.slice(0, -1), { ...last, content }];
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
