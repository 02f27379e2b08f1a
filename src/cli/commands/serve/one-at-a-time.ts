import { LlavaError } from "../../../errors.ts";
import type { LocalModel, Prompt } from "../../../index.ts";
import {
  OverloadedError,
  type PromptTokens,
  type ServedModel,
  type ServedPart,
  type ServedPrompt,
  type ServedRequest,
  type ServedSampling,
  type ServedState,
} from "../../../protocol/index.ts";
import { Slots } from "../../../slots.ts";

/** Requests that wait at most. */
const queueLimit = 256;

/** A model that answers requests one after the other. */
export class OneAtATime implements ServedModel, Disposable {
  readonly modalities = ["text", "image", "video"] as const;
  readonly queueLimit = queueLimit;
  readonly #model: LocalModel;
  readonly #turn = new Slots(1);
  readonly #counts = {
    running: 0,
    waiting: 0,
    promptTokens: 0,
    generatedTokens: 0,
    towerImages: 0,
    steps: 0,
  };

  constructor(model: LocalModel) {
    this.#model = model;
  }

  get id(): string {
    return this.#model.id;
  }

  get contextLength(): number {
    return this.#model.pretrained.processor.contextLength;
  }

  get vocabularySize(): number {
    return this.#tokenizer.vocabSize;
  }

  async tokens(prompt: ServedPrompt, signal?: AbortSignal): Promise<PromptTokens> {
    using inputs = await this.#model.prepare(promptOf(prompt), { ...(signal && { signal }) });
    const { inputIds } = inputs;
    const { imageTokenId } = this.#model.pretrained.model;
    return {
      text: this.detokenize(inputIds),
      ids: inputIds,
      imageTokens: inputIds.filter((id) => id === imageTokenId).length,
    };
  }

  detokenize(ids: readonly number[]): string {
    return this.#tokenizer.decode(ids);
  }

  pieces(ids: readonly number[]): Uint8Array[] {
    return ids.map((id) => this.#tokenizer.bytesOf(id));
  }

  async *answer(request: ServedRequest): AsyncGenerator<ServedPart, void, undefined> {
    const { prompt, sampling = {}, choices = 1, signal } = request;
    const own = samplingOf(sampling);
    const frames = "messages" in prompt ? prompt.frames : undefined;
    const counts = this.#counts;
    if (counts.waiting >= queueLimit) throw new OverloadedError(`${counts.waiting} requests wait already`, 5);
    counts.waiting++;
    using _turn = await this.#turn.take(signal).finally(() => counts.waiting--);
    counts.running++;
    try {
      for (let choice = 0; choice < choices; choice++) {
        const parts = this.#model.answer(promptOf(prompt), {
          ...own,
          ...(own.seed !== undefined && { seed: own.seed + choice }),
          ...(signal && { signal }),
          ...(frames !== undefined && { frames }),
        });
        let isRead = false;
        for await (const part of parts) {
          const usage =
            part.type === "finish" ? part.output : { promptTokens: 0, imageTokens: 0, tokenIds: [] };
          if (!isRead && choice === 0) yield { type: "prompt", usage: { ...usage, completionTokens: 0 } };
          isRead = true;
          if (part.type === "text-delta") yield { type: "delta", choice, text: part.text };
          else {
            counts.promptTokens += usage.promptTokens;
            counts.generatedTokens += usage.tokenIds.length;
            yield {
              type: "finish",
              choice,
              reason: part.output.finishReason,
              usage: { ...usage, completionTokens: usage.tokenIds.length },
            };
          }
        }
      }
    } finally {
      counts.running--;
    }
  }

  state(): ServedState {
    const none = { cachedTokens: 0, visionHits: 0, preemptions: 0, stepMilliseconds: 0 };
    return { ...this.#counts, ...none, memory: { keyValues: 0, vision: 0, media: 0, budget: 0 } };
  }

  get #tokenizer() {
    return this.#model.pretrained.processor.tokenizer;
  }

  [Symbol.dispose](): void {
    this.#model.dispose();
  }
}

function promptOf(prompt: ServedPrompt): Prompt {
  if ("raw" in prompt) return { raw: prompt.raw };
  if ("ids" in prompt) throw notOffered("a prompt of ids");
  if (prompt.continuesFinal) throw notOffered("going on with the last message");
  return { messages: prompt.messages };
}

function samplingOf(sampling: ServedSampling) {
  const {
    frequencyPenalty,
    presencePenalty,
    logitBias,
    stopIds,
    minTokens,
    topLogprobs,
    constraint,
    ...own
  } = sampling;
  const asked = { frequencyPenalty, presencePenalty, logitBias, stopIds, minTokens, topLogprobs, constraint };
  const [name] = Object.entries(asked).find(([, value]) => value) ?? [];
  if (name !== undefined) throw notOffered(name);
  return own;
}

const notOffered = (what: string): LlavaError =>
  new LlavaError("setup", `${what} is not offered by a model that answers one request at a time`);
