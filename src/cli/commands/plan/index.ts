import { type Command, InvalidArgumentError } from "commander";
import type { RowLengths } from "../../../training/index.ts";
import { count, share } from "../../frame/model-options.ts";
import { recipeData, renderData } from "../../frame/recipe-data.ts";
import { readRecipe, resolveToShow } from "../../frame/recipe-file.ts";

interface Flags {
  readonly gpus?: number;
  readonly nodes?: number;
  readonly gpu?: string;
  readonly network?: string;
  readonly efficiency?: number;
  readonly overlap: boolean;
  readonly rows?: number;
  readonly memory?: number;
  readonly textTokens?: number;
  readonly trainedTokens?: number;
  readonly frames?: number;
  readonly json?: boolean;
}

export function configure(command: Command): void {
  command
    .description(
      "Tell how much memory a recipe will take, and how long on so many GPUs, before anything is fetched or loaded.",
    )
    .argument("<recipe>", "a TypeScript file that exports a recipe, or the recipe.json of a run")
    .argument("[fields...]", "--path.of.field value, as for llava train")
    .allowUnknownOption()
    .option(
      "--gpus <count>",
      "GPUs of all machines that share a step's rows: tells its time too; without it the recipe's own device",
      count,
    )
    .option("--nodes <count>", "machines that they are in; as many as have eight each", count)
    .option("--gpu <kind>", "what they are, such as a100-80 or h200-141", "h100-80")
    .option(
      "--network <rate>",
      "of each machine: 10Gb, 8x400Gb (bits of its adapters), 100GB (bytes, measured)",
      "8x400Gb",
    )
    .option("--efficiency <share>", "part of a GPU's peak that its products reach", share, 0.5)
    .option("--no-overlap", "count transfers as if nothing were computed beside them")
    .option(
      "--rows <count>",
      "rows of the data, where its files do not tell: gives the hours of a run",
      count,
    )
    .option(
      "--memory <size>",
      "what each device has, such as 24GB or 80GiB: tells what to change if that is not enough",
      bytes,
    )
    .option("--text-tokens <count>", "tokens of a row without its image or video", count)
    .option("--trained-tokens <count>", "those of them that are trained", count)
    .option("--frames <count>", "plan for rows about a video of so many frames", count)
    .option("--json", "print as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  llava plan recipes/llava-1.5-7b/lora.ts --gpus 8 --memory 24GB\n  llava plan recipes/llava-next-yi-34b/finetune.ts --gpus 32 --sharding weights --accumulation 1 --rows 760000",
    )
    .action(async (path: string, words: string[], flags: Flags) => {
      const training = await import("../../../training/index.ts");
      const { advise, computing, planMemory, renderComputing, renderPlan } = training;
      const given = await resolveToShow(await readRecipe(path), training.parseOverrides(words));
      const data = await recipeData(given);
      const recipe = flags.gpus === undefined ? given : { ...given, device: "cuda" };
      const sizes = await training.recipeSizes(recipe);
      const typical = planMemory(sizes, recipe).rows;
      const text = flags.textTokens ?? Math.max(typical.text, flags.trainedTokens ?? 0);
      const rows: RowLengths = {
        ...typical,
        text,
        supervised: flags.trainedTokens ?? Math.min(typical.supervised, text),
        ...(flags.frames !== undefined && { images: 0, frames: flags.frames }),
      };
      const { gpus: devices = 1, efficiency, overlap } = flags;
      const cluster =
        flags.gpus === undefined ? undefined : training.clusterOf({ ...flags, gpus: flags.gpus });
      const options = { rows, devices, ...(cluster && { perMachine: training.perMachine(cluster) }) };
      const plan = planMemory(sizes, recipe, options);
      const memory = flags.memory ?? cluster?.gpu.memory;
      const changes = memory === undefined ? [] : advise(sizes, recipe, memory, options);
      const fits = memory === undefined ? undefined : plan.total <= memory;
      const dataRows = flags.rows ?? (data?.statedRows || undefined);
      const run =
        cluster &&
        training.planRun(sizes, recipe, cluster, { ...options, efficiency, overlap, dataRows, memory });
      const told = { ...plan, fits, changes, computing: computing(recipe), data, ...run };
      const lines = flags.json
        ? [JSON.stringify(told, null, 2)]
        : [
            renderComputing(told.computing),
            "",
            ...renderPlan(plan, memory, changes),
            ...(run ? ["", ...training.renderRun(run)] : []),
            ...renderData(data),
          ];
      process.stdout.write(`${lines.join("\n")}\n`);
    });
}

const UNITS = { MB: 1e6, GB: 1e9, TB: 1e12, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** "24GB", "80GiB"; a number alone is in GB. */
function bytes(text: string): number {
  const [, number, unit = "GB"] = /^(\d+(?:\.\d+)?) ?([MGT]i?B)?$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError("Expected a size such as 24GB or 80GiB.");
  return Number(number) * UNITS[unit as keyof typeof UNITS];
}
