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

/**
 * Loads the default model, or one by built-in name, folder or hub name ("organisation/name"), and fetches its files if
 * they are not here. The tensor library is loaded by the first call, not by importing this module.
 * @throws LlavaError "setup" without libtorch and its addon; "config", "network", "checkpoint" or "usage" for the model
 */
export async function loadModel(nameOrPath?: string, options?: LoadModelOptions): Promise<LocalModel> {
  const generation = await import("./generation/index.ts");
  return generation.loadModel(nameOrPath, options);
}
