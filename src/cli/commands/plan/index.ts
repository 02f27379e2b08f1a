import { type Command, InvalidArgumentError } from "commander";
import type { RowLengths } from "../../../training/index.ts";
import { count } from "../../frame/model-options.ts";
import { recipeData, renderData } from "../../frame/recipe-data.ts";
import { readRecipe, resolveToShow } from "../../frame/recipe-file.ts";

interface Flags {
  readonly gpus?: number;
  readonly memory?: number;
  readonly textTokens?: number;
  readonly trainedTokens?: number;
  readonly frames?: number;
  readonly json?: boolean;
}

export function configure(command: Command): void {
  command
    .description("Tell how much memory a recipe will take, before anything is fetched or loaded.")
    .argument("<recipe>", "a TypeScript file that exports a recipe, or the recipe.json of a run")
    .argument("[fields...]", "--path.of.field value, as for llava train")
    .allowUnknownOption()
    .option("--gpus <count>", "devices that share a step's rows; without it the recipe's own device", count)
    .option(
      "--memory <size>",
      "what each device has, such as 24GB or 80GiB: tells what to change if that is not enough",
      bytes,
    )
    .option("--text-tokens <count>", "tokens of a row without its image or video", count)
    .option("--trained-tokens <count>", "those of them that are trained", count)
    .option("--frames <count>", "plan for rows about a video of so many frames", count)
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExample:\n  llava plan recipes/llava-1.5-7b/lora.ts --gpus 8 --memory 24GB")
    .action(async (path: string, words: string[], flags: Flags) => {
      const { advise, computing, parseOverrides, planMemory, recipeSizes, renderComputing, renderPlan } =
        await import("../../../training/index.ts");
      const given = await resolveToShow(await readRecipe(path), parseOverrides(words));
      const data = await recipeData(given);
      const recipe = flags.gpus === undefined ? given : { ...given, device: "cuda" };
      const sizes = await recipeSizes(recipe);
      const typical = planMemory(sizes, recipe).rows;
      const text = flags.textTokens ?? Math.max(typical.text, flags.trainedTokens ?? 0);
      const rows: RowLengths = {
        ...typical,
        text,
        supervised: flags.trainedTokens ?? Math.min(typical.supervised, text),
        ...(flags.frames !== undefined && { images: 0, frames: flags.frames }),
      };
      const options = { rows, devices: flags.gpus ?? 1 };
      const plan = planMemory(sizes, recipe, options);
      const changes = flags.memory === undefined ? [] : advise(sizes, recipe, flags.memory, options);
      const fits = flags.memory === undefined ? undefined : plan.total <= flags.memory;
      const lines = flags.json
        ? [JSON.stringify({ ...plan, fits, changes, computing: computing(recipe), data }, null, 2)]
        : [
            renderComputing(computing(recipe)),
            "",
            ...renderPlan(plan, flags.memory, changes),
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
