import { randomInt } from "node:crypto";
import { totalmem } from "node:os";
import { LlavaError } from "../../errors.ts";
import { contextOf, type LocalModel, openPrompt, Sequence, type ToldToken } from "../../generation/index.ts";
import { layInPanels } from "../../nn/index.ts";
import type { PretrainedLlava } from "../../pretrained/index.ts";
import type { ImageLoadOptions } from "../../processing/image/index.ts";
import {
  ContextFullError,
  PartError,
  type PromptTokens,
  type ServedModel,
  type ServedPart,
  type ServedPrompt,
  type ServedRequest,
  type ServedState,
  type ServedToken,
  tooManyWait,
} from "../../protocol/index.ts";
import { Choice, type ServedInput, Task } from "./choice.ts";
import type { ConstraintCompiler, Matcher } from "./constraint.ts";
import type { ServingOptions } from "./options.ts";
import { Scheduler } from "./scheduler.ts";

/**
 * A model that answers many requests at once. On CPUs whose rows are computed apart (`rowsApart`) an answer has the same bits
 * whatever is answered beside it, however its prompt was cut into steps, and whether its beginning was cached.
 */
export class ServingEngine implements ServedModel, Disposable {
  readonly id: string;
  readonly contextLength: number;
  readonly modalities = ["text", "image", "video"] as const;
  readonly vocabularySize: number;
  readonly queueLimit: number;
  readonly maxRunning: number;
  readonly #pretrained: PretrainedLlava;
  readonly #constraints: ConstraintCompiler | undefined;
  readonly #images: ImageLoadOptions;
  readonly #scheduler: Scheduler;
  /** Requests whose prompts are being opened. */
  #opening = 0;
  #isDisposed = false;

  /** The model stays the caller's, and is used by nobody else meanwhile; its weights may stay in panels. */
  constructor({ id, pretrained }: Pick<LocalModel, "id" | "pretrained">, options: ServingOptions = {}) {
    const { memory = Math.floor(totalmem() / 4), maxRunning = 32, queueLimit = 256 } = options;
    const {
      stepTokens = 96,
      interleavedTokens = 12,
      cache = true,
      panels = true,
      constraints,
      images = {},
    } = options;
    for (const [name, value] of Object.entries({ memory, maxRunning, stepTokens, interleavedTokens }))
      if (!(Number.isInteger(value) && value > 0))
        throw new LlavaError("usage", `${name} must be a whole number above 0, got ${value}`);
    if (!(Number.isInteger(queueLimit) && queueLimit >= 0))
      throw new LlavaError("usage", `queueLimit must be a whole number, got ${queueLimit}`);
    this.id = id;
    this.#pretrained = pretrained;
    this.#constraints = constraints;
    this.#images = images;
    this.queueLimit = queueLimit;
    this.maxRunning = maxRunning;
    this.vocabularySize = pretrained.model.languageModel.config.vocabSize;
    const { languageModel } = pretrained.model;
    if (panels)
      layInPanels(languageModel, {
        dtype: languageModel.computeDtype,
        isTied: languageModel.config.tieWordEmbeddings,
      });
    this.#scheduler = new Scheduler(pretrained, {
      ...{ memory, maxRunning, stepTokens, interleavedTokens, cache, images },
      describe: (choice, told) => this.#describe(choice, told),
    });
    this.contextLength = Math.min(contextOf(pretrained), this.#scheduler.longest);
    if (this.contextLength === 0) {
      this.#scheduler[Symbol.dispose]();
      throw new LlavaError("usage", `${memory} bytes of memory hold no sequence of this model`, {
        hint: "Give the engine more memory.",
      });
    }
  }

  async tokens(prompt: ServedPrompt, signal?: AbortSignal): Promise<PromptTokens> {
    const { text, inputIds: ids, imageTokens, media, places } = await this.#open(prompt, { signal });
    const told = media.map(({ layout }, index) => {
      const { rows, columns } = layout.tiles === "anyres" ? layout.grid : { rows: 1, columns: 1 };
      return { tokens: places[index]!.length, columns, rows };
    });
    return { text, ids, imageTokens, media: told };
  }

  async detokenize(ids: readonly number[]): Promise<string> {
    return this.#pretrained.processor.tokenizer.decode(ids);
  }

  async pieces(ids: readonly number[]): Promise<readonly Uint8Array[]> {
    return ids.map((id) => this.#pretrained.processor.tokenizer.bytesOf(id));
  }

  async *answer(request: ServedRequest): AsyncGenerator<ServedPart, void, undefined> {
    if (this.#isDisposed)
      throw new LlavaError("usage", `the engine of ${this.id} was disposed of: it cannot answer any more`);
    this.requireRoom();
    const { signal } = request;
    this.#opening++;
    let task: Task;
    try {
      task = await this.#taskOf(request);
    } finally {
      this.#opening--;
    }
    const cancel = () => this.#scheduler.cancel(task);
    signal?.addEventListener("abort", cancel);
    try {
      this.#scheduler.add(task);
      if (signal?.aborted) cancel();
      yield* task.stream.read();
    } finally {
      signal?.removeEventListener("abort", cancel);
      cancel();
    }
  }

  state(): ServedState {
    return { ...this.#scheduler.state, waiting: this.#scheduler.waiting + this.#opening };
  }

  requireRoom(): void {
    const { waiting, free, state } = this.#scheduler;
    const all = waiting + this.#opening;
    if (all >= this.queueLimit + free) throw tooManyWait(all, { ...this, ...state });
  }

  async #taskOf(request: ServedRequest): Promise<Task> {
    const { prompt, sampling = {}, choices = 1, signal } = request;
    if (!(Number.isInteger(choices) && choices > 0))
      throw new LlavaError("usage", `choices must be a whole number above 0, got ${choices}`);
    const { maxTokens, constraint, seed = randomInt(2 ** 47), stop = [], ignoreEos = false } = sampling;
    const input = await this.#open(prompt, { signal, maxTokens });
    const room = Math.min(this.contextLength, input.contextLength) - input.inputIds.length;
    if (room <= 0) throw new ContextFullError(input.inputIds.length, input.imageTokens, this.contextLength);
    const own = "messages" in prompt && !ignoreEos ? this.#pretrained.processor.promptFormat.stop : [];
    const task = new Task(input, request);
    const matchers: Matcher[] = [];
    try {
      for (let index = 0; index < choices; index++) {
        const matcher = constraint && (await this.#compiler().compile(constraint, signal));
        if (matcher !== undefined) matchers.push(matcher);
        const sequence = new Sequence(this.#pretrained, {
          ...sampling,
          inputIds: input.inputIds,
          ropeFactor: input.ropeFactor,
          seed: seed + index,
          stop: [...stop, ...own],
          maxTokens: maxTokens === undefined ? room : Math.min(maxTokens, room),
          filter: matcher,
        });
        task.choices.push(new Choice(task, sequence, matcher));
      }
    } catch (error) {
      for (const matcher of matchers) matcher[Symbol.dispose]();
      throw error;
    }
    return task;
  }

  #compiler(): ConstraintCompiler {
    if (this.#constraints !== undefined) return this.#constraints;
    throw new LlavaError("config", "structured output is not available here", {
      hint: "Leave the constraint out, or give the engine a compiler of constraints.",
    });
  }

  async #open(
    prompt: ServedPrompt,
    { signal, maxTokens }: { signal: AbortSignal | undefined; maxTokens?: number | undefined },
  ): Promise<ServedInput & { readonly text: string | undefined; readonly contextLength: number }> {
    if ("ids" in prompt) return this.#inputOfIds(prompt.ids);
    const options = { ...this.#images, ...(signal && { signal }), ...(maxTokens && { maxTokens }) };
    if ("raw" in prompt) {
      const { raw, images } = prompt;
      return await openPrompt(
        this.#pretrained,
        images === undefined ? { text: raw } : { raw, images },
        options,
      );
    }
    const { messages: conversation, continuesFinal = false, frames, mostFrames } = prompt;
    const places = conversation.flatMap(({ content }, message) =>
      typeof content === "string"
        ? []
        : content.flatMap(({ type }, part) => (type === "text" ? [] : [{ message, part }])),
    );
    return await openPrompt(
      this.#pretrained,
      { conversation, continuesFinal },
      {
        ...options,
        ...(frames !== undefined && { frames }),
        ...(mostFrames !== undefined && { mostFrames }),
        refusal: (error, medium) => {
          const { message, part } = places[medium]!;
          return error instanceof LlavaError && error.code !== "aborted"
            ? new PartError(error, message, part)
            : error;
        },
      },
    );
  }

  #inputOfIds(ids: readonly number[]) {
    const wrong = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < this.vocabularySize));
    if (wrong !== undefined)
      throw new LlavaError(
        "prompt",
        `the prompt has the id ${wrong}; the vocabulary has ${this.vocabularySize}`,
        {
          hint: "Ids are those of the model's own tokenizer.",
        },
      );
    if (ids.length === 0) throw new LlavaError("prompt", "the prompt is empty");
    const refusal = (error: unknown) => error;
    const nothing = { text: undefined, places: [], media: [], sources: [], imageTokens: 0, refusal };
    return { ...nothing, inputIds: ids, contextLength: this.contextLength };
  }

  #describe(choice: Choice, { id, logprob, top }: ToldToken): ServedToken {
    const { tokenizer } = this.#pretrained.processor;
    const special = new Set(tokenizer.specialTokens.values());
    const isFirst = choice.sequence.answer.tokenIds.length === 1;
    const bytesOf = (token: number): Uint8Array => {
      if (special.has(token)) return new Uint8Array();
      const bytes = tokenizer.bytesOf(token);
      return isFirst && tokenizer.stripsLeadingSpace && bytes[0] === SPACE ? bytes.subarray(1) : bytes;
    };
    const told = (token: number, value: number) => ({ id: token, bytes: bytesOf(token), logprob: value });
    return { ...told(id, logprob), top: top.map((other) => told(other.id, other.logprob)) };
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#scheduler[Symbol.dispose]();
  }
}

const SPACE = 0x20;
