import type { Command } from "commander";
import { type Group, joinGroup } from "../../../distributed/index.ts";
import { LlavaError } from "../../../errors.ts";
import { ensureNative, silentProgress } from "../../../setup/index.ts";
import type { Override, RecipeFields } from "../../../training/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { recipeData, renderData } from "../../frame/recipe-data.ts";
import { readRecipe, resolveToShow } from "../../frame/recipe-file.ts";

interface Options {
  dryRun?: boolean;
  json?: boolean;
  resume?: boolean;
}

export function configure(command: Command, { progress, report, signal }: CommandContext): void {
  command
    .description("Train what a recipe says. Every field of the recipe can be given as an option.")
    .argument("<recipe>", "a TypeScript file that exports a recipe, or the recipe.json of a run")
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
      const { parseOverrides, resolveRecipe, runRecipe } = await import("../../../training/index.ts");
      const [fields, overrides] = [await readRecipe(path), parseOverrides(words)];
      if (options.dryRun) return await dryRun(fields, overrides, options);
      const recipe = resolveRecipe(fields, overrides);
      await ensureNative({ progress, report, signal: signal() });
      const result = await together(report, (group) =>
        runRecipe(recipe, {
          progress: group === undefined || group.place.rank === 0 ? progress : silentProgress,
          report,
          signal: signal(),
          resume: options.resume ?? false,
          ...(group && {
            communicator: group.communicator,
            callbacks: [
              { begin: ({ step }) => group.reached(step), afterStep: ({ step }) => group.reached(step) },
            ],
          }),
        }),
      );
      if (result.result !== undefined) report(`trained: ${result.result}`);
      else if (result.step < result.totalSteps)
        throw new LlavaError("aborted", `stopped after step ${result.step} of ${result.totalSteps}`, {
          hint: "--resume goes on from there.",
        });
    });
}

/** Runs `body` with the other processes that a launcher started, which end with this one if it fails. */
async function together<R>(
  report: (line: string) => void,
  body: (group: Group | undefined) => Promise<R>,
): Promise<R> {
  const group = await joinGroup({ report });
  try {
    const result = await body(group);
    await group?.leave();
    return result;
  } catch (error) {
    await group?.fail(error);
    throw error;
  }
}

/** What a run would do, as far as it can be told from the recipe and the shape of its model. */
async function dryRun(
  fields: RecipeFields,
  overrides: readonly Override[],
  { json = false }: Options,
): Promise<void> {
  const {
    computing,
    outlineRecipe,
    planMemory,
    recipeSizes,
    renderComputing,
    renderOutline,
    renderPlan,
    settled,
  } = await import("../../../training/index.ts");
  const given = await resolveToShow(fields, overrides);
  const data = await recipeData(given);
  const recipe = settled(given);
  const sizes = await recipeSizes(recipe).catch((error: unknown) => {
    if (error instanceof LlavaError && error.code === "config") return error;
    throw error;
  });
  const known = !(sizes instanceof LlavaError) && {
    outline: outlineRecipe(recipe, sizes),
    plan: planMemory(sizes, recipe),
  };
  const lines = known
    ? [...renderOutline(known.outline), "", ...renderPlan(known.plan)]
    : [(sizes as LlavaError).message];
  const text = json
    ? JSON.stringify({ recipe, computing: computing(given), data, ...known })
    : [
        JSON.stringify(recipe, null, 2),
        "",
        renderComputing(computing(given)),
        ...lines,
        ...renderData(data),
      ].join("\n");
  process.stdout.write(`${text}\n`);
}
