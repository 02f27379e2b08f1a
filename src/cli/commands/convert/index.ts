import { statSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { ConversionReport, GgufTypeName, WrittenLayout } from "../../../pretrained/index.ts";
import {
  ensureNative,
  resolveModel,
  type WeightType,
  weightType,
  weightTypes,
} from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { printable } from "../../frame/printable.ts";
import { fileSize } from "../../frame/sizes.ts";

interface Flags {
  readonly to: WrittenLayout;
  readonly output: string;
  readonly dtype?: WeightType;
  readonly type?: GgufTypeName;
  readonly mmprojType?: GgufTypeName;
  readonly maxShardSize: number;
  readonly base?: string;
  readonly deltaOf?: string;
  readonly visionTower?: string;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description(
      "Write a checkpoint in Hugging Face's layout, the original LLaVA's or as GGUF files for llama.cpp, read it back and compare every tensor.",
    )
    .argument("<source>", "folder or hub name of the model, of an adapter, or file of a projector")
    .addOption(
      new Option("--to <layout>", "Hugging Face's layout, the original code's, or a pair of GGUF files")
        .choices(["hf", "original", "gguf"] satisfies WrittenLayout[])
        .makeOptionMandatory(),
    )
    .requiredOption("--output <folder>", "where the checkpoint is written; a new folder")
    .option(
      "--dtype <type>",
      `element type of the weights: ${weightTypes.join(", ")} (default: as stored)`,
      weightType,
    )
    .addOption(
      new Option("--type <type>", "of a GGUF file's matrices (default: as stored)").choices(GGUF_TYPES),
    )
    .addOption(
      new Option(
        "--mmproj-type <type>",
        "of those of the vision tower and projector (default: --type, or f16 where that is in blocks)",
      ).choices(GGUF_TYPES),
    )
    .option("--max-shard-size <size>", "largest file of weights", size, 5e9)
    .option(
      "--base <model>",
      "the language model of a first stage's projector; of an adapter, its base in the new layout",
    )
    .option(
      "--delta-of <model>",
      "the language model that the checkpoint is the difference from, as the first LLaVA was published",
    )
    .option("--vision-tower <model>", "vision tower instead of the one that the checkpoint names")
    .option("--json", "print the report as JSON, with every tensor")
    .addHelpText(
      "after",
      "\nExamples:\n  llava convert liuhaotian/llava-v1.6-vicuna-7b --to hf --output llava-v1.6-hf" +
        "\n  llava convert llava-hf/llava-1.5-7b-hf --to gguf --type q8_0 --output llava-v1.5-7b" +
        "\n  llava convert liuhaotian/LLaVA-7b-delta-v1-1 --delta-of llama-7b --to original --output llava-7b-v1.1",
    )
    .action((source: string, flags: Flags) => run(source, flags, context));
}

/** Spelled out, as the command's help must not load what converts. */
const GGUF_TYPES = ["f32", "f16", "bf16", "q8_0", "q4_0"] satisfies GgufTypeName[];

/** In powers of ten, as transformers reads them; with an i in powers of two. */
function size(text: string): number {
  const [, number, unit = "", binary] = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?))?B?$/i.exec(text) ?? [];
  const power = ["", "K", "M", "G", "T"].indexOf(unit.toUpperCase());
  const bytes = Number(number) * (binary ? 1024 : 1000) ** power;
  if (bytes > 0) return Math.floor(bytes);
  throw new InvalidArgumentError("Expected a size such as 5GB.");
}

async function run(
  source: string,
  { to, output, dtype, type, mmprojType, maxShardSize, json, base, deltaOf, visionTower }: Flags,
  { progress, report }: CommandContext,
): Promise<void> {
  if (to === "gguf" ? dtype !== undefined : type !== undefined || mmprojType !== undefined)
    throw new LlavaError(
      "usage",
      `${to === "gguf" ? "--dtype" : "--type and --mmproj-type"} is not for --to ${to}`,
      { hint: "GGUF files have --type and --mmproj-type, the other layouts --dtype." },
    );
  // Ctrl-C ends the process at once: what is not complete has not its name yet, and goes at the next try.
  const options = { progress, report };
  const { convertModel, convertPart, isPart, loadPretrained, requireFreeFolder } = await import(
    "../../../pretrained/index.ts"
  );
  requireFreeFolder(output);
  await ensureNative(options);
  const isFile = statSync(source, { throwIfNoEntry: false })?.isFile() === true;
  const resolved = isFile ? ({ kind: "folder", path: source } as const) : await resolveModel(source, options);
  const print = (done: ConversionReport) =>
    console.log(json ? JSON.stringify({ source, ...done }, null, 2) : render(done));
  if (resolved.kind === "folder" && to !== "gguf" && deltaOf === undefined && isPart(resolved.path, { base }))
    return print(convertPart(resolved.path, { to, output, dtype, base, report }));
  if (resolved.kind === "builtin")
    throw new LlavaError("usage", `${resolved.name} is built in: it has no layout to be converted`, {
      hint: "Give a checkpoint's folder or hub name.",
    });
  using pretrained = await loadPretrained(resolved, {
    report,
    ...(base !== undefined && { base }),
    ...(deltaOf !== undefined && { deltaOf }),
    ...(visionTower !== undefined && { visionTower }),
    resolve: (name) => resolveModel(name, options),
  });
  const done = convertModel(pretrained, {
    ...{ to, output, dtype, type, eyeType: mmprojType },
    maxShardBytes: maxShardSize,
  });
  print(done);
}

function render({
  output,
  tensors,
  bytes,
  files,
  largestDifference,
  leftOut,
  notes,
}: ConversionReport): string {
  const left = (what: string, names: readonly string[]) =>
    names.length > 0 ? [`not in the result, ${what}: ${names.join(", ")}`] : [];
  const shards = files.length > 1 ? ` in ${files.length} files` : "";
  return [
    `${output}: ${tensors.length} tensors, ${fileSize(bytes)}${shards}, read back bit for bit; largest difference from the source ${largestDifference}`,
    ...notes,
    ...left("tensors", leftOut.tensors),
    ...left("of config.json", leftOut.fields),
  ]
    .map(printable)
    .join("\n");
}
