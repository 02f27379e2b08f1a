import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { LlavaError } from "../../errors.ts";
import { ensureNative } from "../../setup/index.ts";
import type { Override, RecipeFields } from "../../training/index.ts";
import type { CommandContext } from "../context.ts";

interface Options {
  dryRun?: boolean;
  json?: boolean;
  resume?: boolean;
}

export function configure(command: Command, { progress, report, signal }: CommandContext): void {
  command
    .description("Train what a recipe says. Every field of the recipe can be given as an option.")
    .argument("<recipe>", "a TypeScript file that exports a recipe")
    .argument("[fields...]", "--path.of.field value")
    .allowUnknownOption()
    .option(
      "--dry-run",
      "print the recipe with all its fields and what it trains; neither weights nor data are needed",
    )
    .option("--json", "with --dry-run: print one JSON object")
    .option("--resume", "go on after the newest checkpoint in the output folder")
    .addHelpText(
      "after",
      `
Example:
  llava train recipes/llava-smol-135m/pretrain.ts --data.rows train.json --data.images images \\
    --features.cache features --optimizer.learningRate 1e-3 --output runs/first`,
    )
    .action(async (path: string, words: string[], options: Options) => {
      await ensureNative({ progress, report });
      const { parseOverrides, resolveRecipe, runRecipe } = await import("../../training/index.ts");
      const [fields, overrides] = [await readRecipe(path), parseOverrides(words)];
      if (options.dryRun) return await dryRun(fields, overrides, options);
      const recipe = resolveRecipe(fields, overrides);
      const result = await runRecipe(recipe, {
        progress,
        report,
        signal: signal(),
        resume: options.resume ?? false,
      });
      if (result.result !== undefined) report(`trained: ${result.result}`);
      else
        throw new LlavaError("aborted", `stopped after step ${result.step} of ${result.totalSteps}`, {
          hint: "--resume goes on from there.",
        });
    });
}

/** What a run would do, as far as it can be told from the recipe and the shape of its model. */
async function dryRun(
  fields: RecipeFields,
  overrides: readonly Override[],
  { json = false }: Options,
): Promise<void> {
  const { modelShape, outlineRecipe, renderOutline, resolveRecipe } = await import("../../training/index.ts");
  const unknown = "(given for a run)";
  const { data, output = unknown } = fields;
  const recipe = resolveRecipe(
    { ...fields, data: { ...data, rows: data.rows ?? unknown, images: data.images ?? unknown }, output },
    overrides,
  );
  const shape = await modelShape(recipe);
  const outline = shape && outlineRecipe(recipe, shape);
  const lines = outline
    ? renderOutline(outline)
    : [`What ${recipe.model} consists of is not known here; give a folder with its config.json (--model).`];
  const text = json
    ? JSON.stringify({ recipe, outline })
    : [JSON.stringify(recipe, null, 2), "", ...lines].join("\n");
  process.stdout.write(`${text}\n`);
}

async function readRecipe(path: string): Promise<RecipeFields> {
  try {
    const module = (await import(pathToFileURL(resolve(path)).href)) as { default?: RecipeFields };
    if (typeof module.default === "object") return module.default;
  } catch (cause) {
    throw new LlavaError("config", `${path} cannot be loaded: ${(cause as Error).message}`, {
      hint: "Give the path of a TypeScript file that exports a recipe, such as those in recipes/.",
      cause,
    });
  }
  throw new LlavaError("config", `${path} exports no recipe`, {
    hint: "Write: export default recipe({ … })",
  });
}
