import { type Command, InvalidArgumentError, Option } from "commander";
import type { AnswerOptions, LocalModel } from "../../index.ts";
import type { Transparency, TransparentImage } from "../../processing/image/index.ts";
import {
  ensureNative,
  type KeptWeights,
  keptWeights,
  type WeightType,
  weightType,
  weightTypes,
} from "../../setup/index.ts";
import type { CommandContext } from "./context.ts";
import { addVideoOptions, type VideoFlags, videoOptions } from "./media-options.ts";

/** What `addModelOptions` reads. */
export interface ModelFlags {
  readonly dtype?: WeightType;
  readonly weights?: KeptWeights;
  readonly device?: string;
  readonly threads?: number;
  readonly base?: string;
  readonly visionTower?: string;
  readonly template?: string;
  readonly maxPixels?: number;
  readonly maxBytes?: number;
  readonly allowPrivate?: boolean;
  readonly transparency?: Transparency;
}

/** The options above, as hints name them. */
const limits = { maxPixels: "--max-pixels", maxBytes: "--max-bytes", allowPrivate: "--allow-private" };

/** What `addSamplingOptions` reads. */
export interface SamplingFlags extends VideoFlags {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly seed: number;
  readonly stop?: readonly string[];
  readonly ignoreEos?: boolean;
  readonly recordSteps?: boolean;
}

const transparencies: readonly Transparency[] = ["drop", "white"];

/** A parser for option values that says what is right when they are not. */
function numbers(isRight: (value: number) => boolean, range: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && isRight(value)) return value;
    throw new InvalidArgumentError(`Expected ${range}.`);
  };
}

export const wholeNumber = numbers((n) => Number.isSafeInteger(n) && n >= 0, "a whole number, 0 or more");
export const count = numbers((n) => Number.isSafeInteger(n) && n > 0, "a whole number above 0");
export const notNegative = numbers((value) => value >= 0, "a number, 0 or more");
export const share = numbers((value) => value >= 0 && value <= 1, "a number from 0 to 1");
export const shareBelowOne = numbers((value) => value >= 0 && value < 1, "a number from 0 to below 1");
const positiveShare = numbers((value) => value > 0 && value <= 1, "a number above 0 and up to 1");
export const positive = numbers((value) => value > 0, "a number above 0");

/** For options that may be repeated. */
export const collect = (value: string, earlier: readonly string[] = []): string[] => [...earlier, value];

/** @param dtypeDefault what the help says is taken without --dtype */
export function addModelOptions(command: Command, dtypeDefault: string): Command {
  return command
    .option(
      "--dtype <type>",
      `element type of the weights: ${weightTypes.join(", ")} (default: ${dtypeDefault})`,
      weightType,
    )
    .addOption(
      new Option(
        "--weights <form>",
        "how the language model's matrices are kept: in a GGUF file's own blocks (stored), in bf16, or in blocks of 8 or 4 bits",
      ).choices(keptWeights),
    )
    .option("--device <name>", "cpu, cuda or cuda:N", "cpu")
    .option("--threads <n>", "threads of libtorch's operators (default: all cores)", count)
    .option(
      "--base <model>",
      "model that an adapter or a first stage's projector belongs to, instead of the one that it names",
    )
    .option(
      "--vision-tower <model>",
      "vision tower of a checkpoint in the original layout, instead of the one that it names",
    )
    .option("--template <name>", "conversation template to use instead of the model's own")
    .option("--max-pixels <n>", "refuse images of more pixels (default: 100 million)", count)
    .option("--max-bytes <n>", "refuse image files of more bytes (default: 256 MiB)", count)
    .option("--allow-private", "fetch images from private addresses too")
    .addOption(transparencyOption());
}

/** @param otherwise what the help says is taken without it */
export const transparencyOption = (otherwise = "the model's own, as a rule drop"): Option =>
  new Option(
    "--transparency <way>",
    `transparent pixels show the colours under them (drop) or white (default: ${otherwise})`,
  ).choices(transparencies);

export const fastestDtype =
  "as stored; for built-in models what the device computes fastest in, which llava doctor tells";

export function addSamplingOptions(command: Command): Command {
  return addVideoOptions(command)
    .option("--max-tokens <n>", "longest answer", count, 512)
    .option("--temperature <t>", "0 takes the likeliest token each time", notNegative, 0)
    .option("--top-k <k>", "draw from the k likeliest tokens", wholeNumber)
    .option("--top-p <p>", "draw from the fewest tokens whose probabilities reach p", positiveShare)
    .option("--min-p <p>", "draw from tokens at least p times as likely as the likeliest", share)
    .option("--repetition-penalty <x>", "above 1 makes tokens already seen less likely", positive)
    .option("--seed <n>", "of the draws; the same seed gives the same answer", wholeNumber, 0)
    .option("--stop <text>", "end the answer before this text (may be repeated)", collect)
    .option("--ignore-eos", "do not stop at end tokens")
    .option(
      "--record-steps",
      "record a decoding step and repeat it: on a GPU a CUDA graph, which has not been measured there yet",
    );
}

/** How images are read, as the flags say. */
export const imageOptions = ({
  maxPixels,
  maxBytes,
  allowPrivate = false,
  transparency,
}: Pick<ModelFlags, "maxPixels" | "maxBytes" | "allowPrivate" | "transparency">) => ({
  allowPrivate,
  ...(transparency && { transparency }),
  ...(maxPixels && { maxPixels }),
  ...(maxBytes && { maxBytes }),
});

/** Installs libtorch where it is missing, fetches the model and loads it. */
export async function openModel(
  name: string | undefined,
  { dtype, weights, device, threads, base, visionTower, template, ...flags }: ModelFlags,
  { progress, report, warn }: Pick<CommandContext, "progress" | "report" | "warn">,
  signal: AbortSignal,
): Promise<LocalModel> {
  await ensureNative({ progress, report, signal });
  const started = performance.now();
  const { loadModel } = await import("../../index.ts");
  const { transparencyNote } = await import("../../processing/image/index.ts");
  const model = await loadModel(name, {
    ...(dtype && { dtype }),
    ...(weights && { weights }),
    ...(device && { device }),
    ...(threads && { threads }),
    ...(base && { base }),
    ...(visionTower && { visionTower }),
    ...(template && { template }),
    images: {
      ...imageOptions(flags),
      onTransparency: firstNote(transparencyNote, (note) => warn(`${note}; --transparency chooses`)),
      limits,
    },
    progress,
    report,
    signal,
  });
  debugTiming(report, `${model.id} loaded in`, performance.now() - started);
  return model;
}

/** Tells of the first image that is worth a note. */
function firstNote(
  noteOf: (found: TransparentImage) => string | undefined,
  tell: (note: string) => void,
): (found: TransparentImage) => void {
  let isTold = false;
  return (found) => {
    const note = isTold ? undefined : noteOf(found);
    if (note === undefined) return;
    isTold = true;
    tell(note);
  };
}

export const answerOptions = (
  {
    maxTokens,
    temperature,
    topK,
    topP,
    minP,
    repetitionPenalty,
    seed,
    stop,
    ignoreEos,
    recordSteps,
    ...video
  }: SamplingFlags,
  signal: AbortSignal,
): AnswerOptions => ({
  maxTokens,
  temperature,
  seed,
  ...(stop && { stop }),
  signal,
  ...(topK !== undefined && { topK }),
  ...(topP !== undefined && { topP }),
  ...(minP !== undefined && { minP }),
  ...(repetitionPenalty !== undefined && { repetitionPenalty }),
  ...(ignoreEos && { ignoreEos }),
  ...(recordSteps && { recordsSteps: true }),
  ...videoOptions(video),
});

/** A line about how long something took, with LLAVA_DEBUG=1. */
export function debugTiming(report: (line: string) => void, what: string, milliseconds: number): void {
  if (process.env["LLAVA_DEBUG"] === "1") report(`${what} ${Math.round(milliseconds)} ms`);
}
