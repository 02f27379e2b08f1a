import {
  addUsage,
  type FinishReason,
  noUsage,
  OverloadedError,
  type ServedModel,
  type ServedPart,
  type ServedRequest,
  type ServedToken,
  type Usage,
} from "../../protocol/index.ts";
import { ApiError } from "./api-error.ts";
import type { Exchange } from "./exchange.ts";
import type { ModelSet } from "./model-set.ts";
import type { Service } from "./service.ts";

/** The model that a request names, where one request more may wait for it. @throws ApiError, OverloadedError */
export function modelFor(
  exchange: Exchange,
  { models, metrics }: Service,
  asked: string | undefined,
): ReturnType<ModelSet["find"]> {
  const found = models.find(asked);
  exchange.record.model = found.name;
  try {
    found.model.requireRoom();
  } catch (error) {
    if (error instanceof OverloadedError) metrics.rejected("queue_full");
    throw error;
  }
  return found;
}

/** A model's answer to a request, with what metrics and log tell of it. @throws why the work was stopped, where it was */
export async function* answered(
  exchange: Exchange,
  { metrics, logsContent }: Service,
  model: ServedModel,
  request: ServedRequest,
): AsyncGenerator<ServedPart, void, undefined> {
  const { signal, owner, record } = exchange;
  const times = metrics.answer(model);
  const usage = new UsageSum();
  if (logsContent)
    record.asked = "messages" in request.prompt ? wordsOf(request.prompt.messages) : request.prompt;
  try {
    for await (const part of model.answer({ ...request, owner, signal })) {
      if (signal.aborted) throw signal.reason;
      if (part.type === "prompt") {
        exchange.isRunning = true;
        times.prompt();
        // What the prompt was made of has been read.
        for (const held of ["pixels", "frames", "bytes"] as const) exchange.holding.release(held);
      } else if (part.type === "delta") {
        times.delta(part.choice);
        if (logsContent) record.answered = (record.answered ?? "") + part.text;
      } else {
        if (part.reason === "aborted") throw new ApiError(503, "stopped", "The answer was stopped.");
        times.finish(part, usage.isEmpty);
        usage.add(part.usage);
        record.finish = part.reason;
      }
      yield part;
    }
    if (signal.aborted) throw signal.reason;
    times.end();
  } catch (error) {
    if (error instanceof OverloadedError) metrics.rejected("queue_full");
    throw signal.aborted ? signal.reason : error;
  } finally {
    const { promptTokens, imageTokens, completionTokens, cachedTokens } = usage.sum;
    const before = {
      prompt: record.promptTokens ?? 0,
      image: record.imageTokens ?? 0,
      completion: record.completionTokens ?? 0,
    };
    record.promptTokens = before.prompt + promptTokens;
    record.imageTokens = before.image + imageTokens;
    record.completionTokens = before.completion + completionTokens;
    if (cachedTokens) record.cachedTokens = (record.cachedTokens ?? 0) + cachedTokens;
  }
}

const wordsOf = (messages: readonly { readonly role: string; readonly content: unknown }[]) =>
  messages.map(({ role, content }) => ({
    role,
    content: Array.isArray(content)
      ? content.map((part) => (part.type === "text" ? part.text : `[${part.type}]`))
      : content,
  }));

/** What several answers to one prompt took: their prompt counts once. */
export class UsageSum {
  #sum: Usage | undefined;

  get isEmpty(): boolean {
    return this.#sum === undefined;
  }

  get sum(): Usage {
    return this.#sum ?? noUsage;
  }

  add(usage: Usage): void {
    this.#sum =
      this.#sum === undefined
        ? usage
        : addUsage(this.#sum, { ...noUsage, completionTokens: usage.completionTokens });
  }
}

/** One answer, whole. */
export interface WholeAnswer {
  text: string;
  reason: FinishReason;
  matched: string | number | undefined;
  readonly tokens: ServedToken[];
}

/** All answers to a prompt, when they have ended. */
export async function wholeAnswers(
  parts: AsyncIterable<ServedPart>,
  count: number,
): Promise<{ readonly answers: readonly WholeAnswer[]; readonly usage: Usage }> {
  const answers = Array.from(
    { length: count },
    (): WholeAnswer => ({ text: "", reason: "stop", matched: undefined, tokens: [] }),
  );
  const usage = new UsageSum();
  for await (const part of parts) {
    if (part.type === "prompt") continue;
    const answer = answers[part.choice]!;
    if (part.type === "delta") {
      answer.text += part.text;
      answer.tokens.push(...(part.tokens ?? []));
    } else {
      answer.reason = part.reason;
      answer.matched = part.matched;
      usage.add(part.usage);
    }
  }
  return { answers, usage: usage.sum };
}
