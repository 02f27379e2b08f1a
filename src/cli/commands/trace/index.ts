import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import { type MediaSource, userMessage } from "../../../protocol/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import {
  addMediaOptions,
  addVideoOptions,
  type VideoFlags,
  videoOptions,
} from "../../frame/media-options.ts";
import { addModelOptions, type ModelFlags, openModel } from "../../frame/model-options.ts";

interface TraceFlags extends ModelFlags, VideoFlags {
  readonly prompt: string;
  readonly raw?: boolean;
  readonly out: string;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Write what flows between the stages of a model, to compare implementations.")
    .argument("<model>", "built-in name, folder or hub name")
    .requiredOption("-p, --prompt <text>", "the prompt")
    .option(
      "--raw",
      "prompt word for word: no template, <image> where an image goes, special tokens honoured",
    )
    .requiredOption(
      "-o, --out <file>",
      "safetensors file: pixel_values, vision_features, projected_features, input_ids, inputs_embeds, logits",
    );
  const given = addMediaOptions(command);
  addVideoOptions(command);
  addModelOptions(command, "float32")
    .addHelpText(
      "after",
      '\nExample:\n  llava trace llava-smol-135m --image photo.jpg --prompt "Describe it." --out trace.safetensors',
    )
    .action((name: string, flags: TraceFlags) => run(name, flags, given(), context));
}

async function run(
  name: string,
  flags: TraceFlags,
  media: readonly MediaSource[],
  context: CommandContext,
): Promise<void> {
  const { prompt, raw, out } = flags;
  requireWritable(out);
  const signal = context.signal();
  using model = await openModel(name, { ...flags, dtype: flags.dtype ?? "float32" }, context, signal);
  using inputs = await model.prepare(
    raw ? { raw: prompt, images: media } : { messages: [userMessage(prompt)], images: media },
    { signal, maxTokens: 1, ...videoOptions(flags) },
  );
  const [{ traceStages }, { writeSafetensors }, { inference, scope }] = await Promise.all([
    import("../../../generation/index.ts"),
    import("../../../checkpoint/index.ts"),
    import("../../../torch/index.ts"),
  ]);
  await setImmediate();
  signal.throwIfAborted();
  const stages = inference(() => scope(() => traceStages(model.pretrained.model, inputs)));
  await setImmediate(); // lets a Ctrl-C during the computation through
  signal.throwIfAborted();
  const transparency = flags.transparency ?? model.pretrained.processor.imageConfig.transparency ?? "drop";
  writeSafetensors(out, stages, { format: "pt", transparency });
  for (const stage of stages.values()) stage.dispose();
  const seen = media.length > 0 ? `, transparent pixels by "${transparency}"` : "";
  context.report(`${out}: ${inputs.inputIds.length} tokens${seen}`);
}

/** Before a model is loaded and run in vain. */
function requireWritable(path: string): void {
  const refuse = (reason: string): never => {
    throw new LlavaError("usage", `--out ${path}: cannot be written: ${reason}`, {
      hint: "Give a file in a folder that exists and may be written.",
    });
  };
  const isFolder = (place: string) => statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (isFolder(path)) refuse("it is a folder");
  if (!isFolder(dirname(path))) refuse(`there is no folder ${dirname(path)}`);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    refuse((error as Error).message);
  }
}
