import { LlavaError } from "../../errors.ts";
import type { GenerationRequest, Reply } from "../../protocol/index.ts";
import type { Answerer } from "../../runner/index.ts";
import type { ServingEngine } from "../../serving/engine/index.ts";
import type { CommandContext } from "./context.ts";
import { modelIdentity } from "./model-identity.ts";
import { imageOptions, type ModelFlags, openModel } from "./model-options.ts";

type Load = (signal: AbortSignal, closing: DisposableStack) => Promise<ServingEngine>;

/**
 * A model in this process that answers many at once, as `llava serve` does: what prompts begin with in common is read once,
 * and which others are answered beside one changes nothing of its answer. It is loaded when the first request comes.
 */
export class EngineAnswerer implements Answerer, AsyncDisposable {
  readonly id: string;
  readonly identity: string;
  readonly concurrency: number;
  readonly batchSize = 1;
  readonly #load: Load;
  readonly #closing = new DisposableStack();
  #engine: Promise<ServingEngine> | undefined;

  private constructor(id: string, identity: string, concurrency: number, load: Load) {
    this.id = id;
    this.identity = identity;
    this.concurrency = concurrency;
    this.#load = load;
  }

  /** Finds the model's files, or fetches them. */
  static async create(
    name: string,
    flags: ModelFlags & { readonly batchSize: number },
    context: CommandContext,
    signal: AbortSignal,
  ): Promise<EngineAnswerer> {
    const { progress, report } = context;
    const identity = await modelIdentity(name, flags, { progress, report, signal });
    return new EngineAnswerer(name, identity, flags.batchSize, async (signal, closing) => {
      const model = closing.use(await openModel(name, flags, context, signal));
      const { openEngine } = await import("../../index.ts");
      return closing.use(
        await openEngine(model, { maxRunning: flags.batchSize, images: imageOptions(flags) }),
      );
    });
  }

  async answer(requests: readonly GenerationRequest[], signal: AbortSignal): Promise<readonly Reply[]> {
    this.#engine ??= this.#load(signal, this.#closing);
    const engine = await this.#engine;
    return await Promise.all(requests.map((request) => replyOf(engine, request, signal)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine?.catch(() => {}); // told to those who asked
    this.#closing.dispose();
  }
}

async function replyOf(
  engine: ServingEngine,
  { messages, sampling = {} }: GenerationRequest,
  signal: AbortSignal,
): Promise<Reply> {
  let text = "";
  try {
    for await (const part of engine.answer({ prompt: { messages }, sampling, signal })) {
      if (part.type === "delta") text += part.text;
      else if (part.type === "finish")
        return { text, reason: part.reason, usage: part.usage, model: engine.id };
    }
  } catch (error) {
    if (error instanceof LlavaError) return error;
    throw error;
  }
  throw new LlavaError("aborted", `${engine.id} was stopped`);
}
