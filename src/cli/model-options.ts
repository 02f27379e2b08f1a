import { type Command, InvalidArgumentError, Option } from "commander";
import type { AnswerOptions, LocalModel } from "../index.ts";
import type { CommandContext } from "./context.ts";

/** What `addModelOptions` reads. */
export interface ModelFlags {
  readonly dtype?: "float32" | "bfloat16" | "float16";
  readonly device?: string;
  readonly threads?: number;
  readonly template?: string;
}

/** What `addSamplingOptions` reads. */
export interface SamplingFlags {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly seed: number;
  readonly stop: string[];
  readonly ignoreEos?: boolean;
}

const dtypes = ["float32", "bfloat16", "float16"];

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("Not a number.");
  return value;
}

export function wholeNumber(text: string): number {
  const value = number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("Not a whole number.");
  return value;
}

export const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value];

/** @param dtypeDefault what the help says is taken without --dtype */
export function addModelOptions(command: Command, dtypeDefault: string): Command {
  return command
    .addOption(
      new Option("--dtype <type>", `element type of the weights (default: ${dtypeDefault})`).choices(dtypes),
    )
    .option("--device <name>", "cpu, cuda or cuda:N", "cpu")
    .option("--threads <n>", "threads of libtorch's operators (default: all cores)", wholeNumber)
    .option("--template <name>", "conversation template to use instead of the model's own");
}

export const fastestDtype =
  "as stored; for built-in models bfloat16 where the processor computes in it, else float32";

export function addSamplingOptions(command: Command): Command {
  return command
    .option("--max-tokens <n>", "longest answer", wholeNumber, 512)
    .option("--temperature <t>", "0 takes the likeliest token each time", number, 0)
    .option("--top-k <k>", "draw from the k likeliest tokens", wholeNumber)
    .option("--top-p <p>", "draw from the fewest tokens whose probabilities reach p", number)
    .option("--min-p <p>", "draw from tokens at least p times as likely as the likeliest", number)
    .option("--repetition-penalty <x>", "above 1 makes tokens already seen less likely", number)
    .option("--seed <n>", "of the draws; the same seed gives the same answer", wholeNumber, 0)
    .option("--stop <text>", "end the answer before this text (may be repeated)", collect, [])
    .option("--ignore-eos", "do not stop at end tokens");
}

/** Installs libtorch where it is missing, fetches the model and loads it. */
export async function openModel(
  name: string | undefined,
  { dtype, device, threads, template }: ModelFlags,
  { progress, report }: CommandContext,
  signal: AbortSignal,
): Promise<LocalModel> {
  const { ensureNative } = await import("../setup/index.ts");
  await ensureNative({ progress, report, signal });
  const started = performance.now();
  const { loadModel } = await import("../index.ts");
  const model = await loadModel(name, {
    ...(dtype && { dtype }),
    ...(device && { device }),
    ...(threads && { threads }),
    ...(template && { template }),
    // Addresses on the command line are the user's own.
    images: { allowPrivate: true },
    progress,
    report,
    signal,
  });
  debugTiming(report, `${model.id} loaded in`, performance.now() - started);
  return model;
}

export const answerOptions = (
  { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop, ignoreEos }: SamplingFlags,
  signal: AbortSignal,
): AnswerOptions => ({
  maxTokens,
  temperature,
  seed,
  stop,
  signal,
  ...(topK !== undefined && { topK }),
  ...(topP !== undefined && { topP }),
  ...(minP !== undefined && { minP }),
  ...(repetitionPenalty !== undefined && { repetitionPenalty }),
  ...(ignoreEos && { ignoreEos }),
});

/** A line about how long something took, with LLAVA_DEBUG=1. */
export function debugTiming(report: (line: string) => void, what: string, milliseconds: number): void {
  if (process.env["LLAVA_DEBUG"] === "1") report(`${what} ${Math.round(milliseconds)} ms`);
}
