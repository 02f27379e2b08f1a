import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { PromptInputs } from "../../../generation/index.ts";
import type { LocalModel } from "../../../index.ts";
import { type MediaSource, userMessage } from "../../../protocol/index.ts";
import { defaultModel } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { addMediaOptions, mediumOf, videoNotes } from "../../frame/media-options.ts";
import {
  addModelOptions,
  addSamplingOptions,
  answerOptions,
  debugTiming,
  fastestDtype,
  type ModelFlags,
  openModel,
  type SamplingFlags,
} from "../../frame/model-options.ts";
import { shownOn } from "../../frame/printable.ts";
import { readWords, wordsHelp } from "./command-words.ts";
import { chatSession } from "./session.ts";

interface ChatFlags extends ModelFlags, SamplingFlags {
  readonly model?: string;
  readonly prompt?: string;
  readonly system?: string;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description(
      "Ask about images and videos: one question, or a conversation in the terminal when there is none.",
    )
    .argument("[words...]", "a model, images (paths or URLs) or videos (paths) and a question, in this order")
    .option("--model <name>", `built-in name, folder or hub name (default: ${defaultModel})`)
    .option("-p, --prompt <text>", "the question")
    .option("--system <text>", "system message");
  const given = addMediaOptions(command);
  addSamplingOptions(command);
  addModelOptions(command, fastestDtype)
    .addHelpText(
      "after",
      `${wordsHelp}
Without a question there is a conversation, whose /help lists its commands.

Examples:
  llava chat photo.jpg "What is in this photo?"
  llava chat clip.mp4 "What happens?" --frames 16
  llava chat llava-smol-135m --image photo.jpg`,
    )
    .action((words: string[], flags: ChatFlags) => run(words, flags, given(), context));
}

async function run(
  words: readonly string[],
  flags: ChatFlags,
  given: readonly MediaSource[],
  context: CommandContext,
): Promise<void> {
  const { name, images: named, question, addresses } = readWords(words, flags);
  for (const address of addresses)
    context.report(`(${address} stays text; --image ${address} would show it to the model)`);
  const images = [...given, ...named.map(mediumOf)];
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const signal = context.signal();
  using model = await openModel(name, flags, context, signal);
  if (question !== undefined) return await ask(model, question, images, flags, context, signal);
  const stayed = await chatSession({
    model,
    sampling: answerOptions(flags, signal),
    system: flags.system,
    images,
    input: process.stdin,
    output: process.stdout,
    terminal: isTerminal,
    signal,
  });
  if (!stayed) throw new LlavaError("aborted", "stopped");
}

async function ask(
  model: LocalModel,
  question: string,
  images: readonly MediaSource[],
  flags: ChatFlags,
  { report }: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  const system = flags.system === undefined ? [] : [{ role: "system" as const, content: flags.system }];
  const prompt = { messages: [...system, userMessage(question)], images };
  let isFirst = true;
  const onPrompt = (inputs: PromptInputs) => {
    for (const note of videoNotes(inputs)) report(note);
  };
  for await (const part of model.answer(prompt, { ...answerOptions(flags, signal), onPrompt })) {
    if (part.type === "text-delta") {
      process.stdout.write(shownOn(process.stdout, part.text));
      if (isFirst) debugTiming(report, "first words after", performance.now());
      isFirst = false;
      continue;
    }
    process.stdout.write("\n");
    const { finishReason, timings } = part.output;
    debugTiming(report, "image and prompt read in", timings.prefillMs);
    if (finishReason === "aborted") throw new LlavaError("aborted", "stopped");
    if (finishReason === "length") report("(cut at --max-tokens)");
  }
}
