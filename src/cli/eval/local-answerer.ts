import { LlavaError } from "../../errors.ts";
import type { Answerer, Reply } from "../../evaluation/index.ts";
import type { LocalModel } from "../../index.ts";
import type { GenerationRequest, SamplingOptions } from "../../protocol/index.ts";
import type { CommandContext } from "../context.ts";
import { type ModelFlags, openModel } from "../model-options.ts";
import { modelIdentity } from "./model-identity.ts";

/** A model in this process that answers questions in batches. It is loaded when the first question comes. */
export class LocalAnswerer implements Answerer, Disposable {
  readonly id: string;
  readonly identity: string;
  readonly concurrency = 1;
  readonly batchSize: number;
  readonly #open: (signal: AbortSignal) => Promise<LocalModel>;
  #model: LocalModel | undefined;

  private constructor(
    id: string,
    identity: string,
    batchSize: number,
    open: (signal: AbortSignal) => Promise<LocalModel>,
  ) {
    this.id = id;
    this.identity = identity;
    this.batchSize = batchSize;
    this.#open = open;
  }

  /** Finds the model's files, or fetches them. */
  static async create(
    name: string,
    flags: ModelFlags & { readonly batchSize: number },
    context: CommandContext,
    signal: AbortSignal,
  ): Promise<LocalAnswerer> {
    const { progress, report } = context;
    const identity = await modelIdentity(name, flags, { progress, report, signal });
    return new LocalAnswerer(name, identity, flags.batchSize, () => openModel(name, flags, context, signal));
  }

  async answer(requests: readonly GenerationRequest[], signal: AbortSignal): Promise<readonly Reply[]> {
    this.#model ??= await this.#open(signal);
    const replies: Reply[] = [];
    const places = Map.groupBy(requests.keys(), (index) => JSON.stringify(requests[index]!.sampling));
    for (const indices of places.values()) {
      const { sampling = {} } = requests[indices[0]!]!;
      const answered = await answerAlike(
        this.#model,
        indices.map((index) => requests[index]!),
        sampling,
        signal,
      );
      for (const [place, index] of indices.entries()) replies[index] = answered[place]!;
    }
    return replies;
  }

  [Symbol.dispose](): void {
    this.#model?.dispose();
  }
}

/** Replies to requests of the same settings. A request that cannot be answered takes no other with it. */
async function answerAlike(
  model: LocalModel,
  requests: readonly GenerationRequest[],
  sampling: SamplingOptions,
  signal: AbortSignal,
): Promise<Reply[]> {
  const replies: (Reply | undefined)[] = requests.map(() => undefined);
  using inputs = new DisposableStack();
  const prepared = [];
  for (const [index, { messages }] of requests.entries())
    try {
      const prompt = { messages };
      prepared.push({ index, prompt, inputs: inputs.use(await model.prepare(prompt, signal)) });
    } catch (error) {
      replies[index] = refusal(error);
    }
  try {
    for await (const { row, part } of model.answerBatch(prepared, { ...sampling, signal })) {
      if (part.type !== "finish") continue;
      const { text, finishReason: reason, promptTokens, imageTokens, tokenIds } = part.output;
      const usage = { promptTokens, imageTokens, completionTokens: tokenIds.length };
      replies[prepared[row]!.index] = { text, reason, usage };
    }
  } catch (error) {
    const failure = refusal(error);
    if (prepared.length === 1) replies[prepared[0]!.index] = failure;
    // One prompt that is too long is refused before anything is computed: the others are answered without it.
    else
      for (const { index } of prepared)
        [replies[index]] = await answerAlike(model, [requests[index]!], sampling, signal);
  }
  return replies.map((reply) => reply!);
}

/** An error of one request's prompt or image; others are not about the request. */
function refusal(error: unknown): LlavaError {
  if (
    error instanceof LlavaError &&
    (error.code === "prompt" || error.code === "image" || error.code === "network")
  )
    return error;
  throw error;
}
