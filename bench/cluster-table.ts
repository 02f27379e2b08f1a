/**
 * What `llava plan` foretells of training models of 7 to 110 billion weights on clusters, as a table for
 * docs/training-on-clusters.md:
 *
 *   node bench/cluster-table.ts [--write]
 *
 * Of each model and number of GPUs it is the fastest way of running its recipe that fits. With --write the table and the one
 * of published runs are put in their places in the document.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "../src/files/index.ts";
import { clusterOf, fastestShape, recipeSizes } from "../src/training/index.ts";
import { clusterRecipe, EFFICIENCY, foretell, publishedRuns } from "./published-runs.ts";

const GPU = "h100-80";
const COUNTS = [8, 16, 32, 64, 128];
const models = [
  { name: "7B", recipe: "llava-1.5-7b/finetune", dataRows: 665_298 },
  { name: "13B", recipe: "llava-1.5-13b/finetune", dataRows: 665_298 },
  { name: "34B", recipe: "llava-next-yi-34b/finetune", dataRows: 760_000 },
  { name: "72B", recipe: "llava-next-qwen1.5-72b/finetune", dataRows: 760_000 },
  { name: "110B", recipe: "llava-next-qwen1.5-110b/finetune", dataRows: 760_000 },
] as const;
/** Tokens of text in a row; of them trained ones; images. */
const rows = { text: 255, supervised: 90, images: 1 };

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => "---")), ...lines.map(row)].join("\n");

async function cell(name: string, dataRows: number, gpus: number): Promise<string> {
  const recipe = await clusterRecipe(name);
  const cluster = clusterOf({ gpus, gpu: GPU });
  const shape = fastestShape(await recipeSizes(recipe), recipe, cluster, {
    rows,
    memory: cluster.gpu.memory,
  });
  if (shape === undefined) return "does not fit";
  const { sharding, shardingGroup, accumulation, activationCheckpointing } = shape.recipe;
  const hours = (shape.step.seconds * dataRows) / recipe.batchSize / 3600;
  const how = [
    shardingGroup === "machine" ? `${sharding} within machines` : sharding,
    ...(accumulation > 1 ? [`${accumulation} micro-batches`] : []),
    ...(activationCheckpointing || sharding === "weights" ? [] : ["nothing recomputed"]),
  ];
  const used = `${(shape.plan.total / 1e9).toFixed(0)} GB, MFU ${(100 * shape.step.utilisation).toFixed(0)} %`;
  return `${hours.toFixed(1)} h, ${used}: ${how.join(", ")}`;
}

/** By their marks in the document. */
async function tables(): Promise<ReadonlyMap<string, string>> {
  const clusters = await Promise.all(
    models.map(async ({ name, recipe, dataRows }) => [
      name,
      ...(await Promise.all(COUNTS.map((gpus) => cell(recipe, dataRows, gpus)))),
    ]),
  );
  const runs = await Promise.all(
    publishedRuns.map(async (run) => {
      const { run: foretold, step } = await foretell(run);
      return [
        `\`${run.recipe}\``,
        `${run.gpus} × ${run.gpu}`,
        `${run.hours} h (${run.source})`,
        `${foretold!.hours.toFixed(1)} h`,
        `${(100 * step.utilisation).toFixed(0)} %`,
        step.binds,
      ];
    }),
  );
  return new Map([
    ["clusters", table(["", ...COUNTS.map((gpus) => `${gpus} GPUs`)], clusters)],
    ["published", table(["recipe", "on", "told", "foretold", "MFU", "most at work"], runs)],
  ]);
}

const path = join(import.meta.dirname, "../docs/training-on-clusters.md");
const end = "<!-- end -->";

/** The document with its tables as they should read. */
export async function describedClusters(): Promise<string> {
  let text = readFileSync(path, "utf8");
  for (const [name, written] of await tables()) {
    const begin = `<!-- node bench/cluster-table.ts --write: ${name} -->`;
    const from = text.indexOf(begin);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`${path} lacks ${begin} or ${end}`);
    text = `${text.slice(0, from + begin.length)}\n\n${written}\n\n${text.slice(to)}`;
  }
  return text;
}

if (import.meta.main) {
  if (process.argv.includes("--write")) writeAtomically(path, [await describedClusters()]);
  else {
    console.log(`products at 50 % of a GPU's peak; published runs at ${100 * EFFICIENCY} %`);
    for (const [name, written] of await tables()) console.log(`\n${name}\n\n${written}`);
  }
}
