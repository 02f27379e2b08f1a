/**
 * The library. Importing it loads nothing native; `loadModel` does.
 *
 *     const model = await loadModel("llava-smol-135m");
 *     for await (const part of model.chat("What is in this photo?", { images: ["photo.jpg"] })) {
 *       if (part.type === "text-delta") process.stdout.write(part.text);
 *     }
 *     model.dispose();
 */
import type { LoadModelOptions, LocalModel } from "./generation/index.ts";
import type { ServingEngine, ServingOptions } from "./serving/engine/index.ts";
import type { ServerOptions } from "./serving/http/index.ts";

export { type ErrorCode, LlavaError } from "./errors.ts";
export type {
  AnswerOptions,
  ChatOptions,
  GenerationOutput,
  GenerationPart,
  LoadModelOptions,
  LocalModel,
  Prompt,
  Timings,
} from "./generation/index.ts";
export type * from "./protocol/index.ts";
export type { ConstraintCompiler, ServingEngine, ServingOptions } from "./serving/engine/index.ts";
export type { ServerOptions } from "./serving/http/index.ts";

/**
 * Loads the default model, or one by built-in name, folder or hub name ("organisation/name"), and fetches its files if
 * they are not here. The tensor library is loaded by the first call, not by importing this module.
 * @throws LlavaError "setup" without libtorch and its addon; "config", "network", "checkpoint" or "usage" for the model
 */
export async function loadModel(nameOrPath?: string, options?: LoadModelOptions): Promise<LocalModel> {
  const generation = await import("./generation/index.ts");
  return generation.loadModel(nameOrPath, options);
}

/**
 * Has a model answer many requests at once: `engine.answer(request)` is the stream of one. The model stays the caller's, who
 * disposes of the engine before it.
 */
export async function openEngine(model: LocalModel, options?: ServingOptions): Promise<ServingEngine> {
  const { ServingEngine } = await import("./serving/engine/index.ts");
  return new ServingEngine(model, options);
}

/** A model behind OpenAI's API; disposing ends what runs. */
export interface Serving extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
  readonly engine: ServingEngine;
}

/** Answers OpenAI's API by a model, which stays the caller's, as `llava serve` does. */
export async function serve(
  model: LocalModel,
  { engine: options, ...listening }: ServerOptions & { readonly engine?: ServingOptions } = {},
): Promise<Serving> {
  const { HttpServer } = await import("./serving/http/index.ts");
  const server = await HttpServer.listen(listening);
  const engine = await openEngine(model, options);
  await server.add(model.id, engine);
  return {
    url: server.url,
    engine,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      engine[Symbol.dispose]();
    },
  };
}
