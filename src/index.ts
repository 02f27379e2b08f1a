/**
 * The library. Importing it loads nothing native; `loadModel` does.
 *
 *     const model = await loadModel("llava-smol-135m");
 *     for await (const part of model.chat("What is in this photo?", { images: ["photo.jpg"] })) {
 *       if (part.type === "text-delta") process.stdout.write(part.text);
 *     }
 *     model.dispose();
 */
export { type ErrorCode, LlavaError } from "./errors.ts";
export type {
  AnswerOptions,
  ChatOptions,
  GenerationOutput,
  GenerationPart,
  LocalModel,
  Prompt,
  Timings,
} from "./generation/index.ts";
export { type LoadModelOptions, loadModel } from "./generation/load-model.ts";
export type * from "./protocol/index.ts";
