/**
 * Three steps of the tests' tiny models on the GPU beside the CPU's: losses and norms of gradients, in float32 and bfloat16.
 *
 *   node bench/gpu/01-parity.ts
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentProgress } from "../../src/setup/index.ts";
import { type RecipeFields, runRecipe } from "../../src/training/index.ts";
import { rowsRecipe, stages } from "../../test/support/training-rows.ts";
import { check, checks, device } from "./checks.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-gpu-"));

interface Line {
  readonly loss: number;
  readonly gradientNorm: number;
}

async function linesOf(name: string, fields: Partial<RecipeFields>): Promise<Line[]> {
  const recipe = rowsRecipe(join(folder, name), { maxSteps: 3, ...fields });
  await runRecipe(recipe, { progress: silentProgress, report: () => {} });
  const log = readFileSync(join(recipe.output, "log.jsonl"), "utf8").trim().split("\n");
  return log.map((line) => JSON.parse(line) as Line);
}

const apart = (a: readonly Line[], b: readonly Line[], of: keyof Line): number =>
  Math.max(...a.map((line, i) => Math.abs(line[of] / b[i]![of] - 1)));

await checks("parity", async () => {
  for (const [name, fields] of Object.entries(stages)) {
    // Dropout draws other numbers on another device.
    const lora = fields.lora && { lora: { ...fields.lora, dropout: 0 } };
    const expected = await linesOf(`${name}-cpu`, { ...fields, ...lora });
    for (const [dtype, tolerance] of [
      ["float32", 1e-3],
      ["bfloat16", 0.1],
    ] as const) {
      const got = await linesOf(`${name}-${dtype}`, { ...fields, ...lora, device, dtype });
      const [loss, norm] = [apart(got, expected, "loss"), apart(got, expected, "gradientNorm")];
      check(
        `${name} in ${dtype}`,
        loss < tolerance && norm < 3 * tolerance,
        `losses ${loss.toExponential(1)}, norms ${norm.toExponential(1)} apart`,
      );
    }
  }
});
rmSync(folder, { recursive: true });
