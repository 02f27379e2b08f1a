import type { LocalModel } from "../../index.ts";
import type { GenerationRequest, Reply } from "../../protocol/index.ts";
import type { Answerer } from "../../runner/index.ts";
import type { CommandContext } from "./context.ts";
import { modelIdentity } from "./model-identity.ts";
import { type ModelFlags, openModel } from "./model-options.ts";

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
    return await this.#model.answerAll(requests, signal);
  }

  [Symbol.dispose](): void {
    this.#model?.dispose();
  }
}
