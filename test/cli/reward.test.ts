// llava reward: npm test -- test/cli/reward.test.ts
import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentProgress } from "../../src/setup/index.ts";
import { runRecipe } from "../../src/training/index.ts";
import { llava } from "../support/cli.ts";
import { learners, pairRows, pairsRecipe } from "../support/pair-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder("llava-reward");

test("llava reward gives the rewards that training logged, of an adapter against its base, and counts bad rows", async () => {
  const { data } = pairsRecipe(folder, "run");
  const evaluation = { rows: data.rows, images: data.images, every: 100 };
  const recipe = pairsRecipe(folder, "run", { ...learners["lora"], maxSteps: 20, evaluation });
  await runRecipe(recipe, { progress: silentProgress, report: () => {} });
  const lines = readFileSync(join(recipe.output, "log.jsonl"), "utf8").trim().split("\n");
  const last = lines.map((line) => JSON.parse(line)).findLast((line) => "heldOutLoss" in line);
  const bad = [
    { id: "equal", prompt: "a", chosen: "the", rejected: "the" },
    { id: "gone", image: "gone.png", prompt: "a", chosen: "the", rejected: "dog" },
  ];
  appendFileSync(data.rows, bad.map((row) => JSON.stringify(row)).join("\n"));
  const words = ["reward", data.rows, "--images", data.images, "--model", recipe.output];
  const { status, stdout, stderr } = await llava([...words, "--json"]);
  assert.equal(status, 0, stderr);
  const scored = JSON.parse(stdout);
  assert.deepEqual([scored.pairs, scored.unusable], [pairRows.length, 2]);
  assert.equal(scored.accuracy, last["heldOut/rewards/accuracies"]);
  for (const [name, value] of Object.entries({
    chosen: scored.chosen,
    rejected: scored.rejected,
    margins: scored.margin,
  }))
    assert.ok(Math.abs(value - last[`heldOut/rewards/${name}`]) <= 1e-5, `${name}: ${value}`);
  assert.ok(Math.abs(scored.margin) > 1e-3);

  const strict = await llava([...words, "--strict"]);
  assert.equal(strict.status, 1);
  assert.match(strict.stderr, /its two answers are equal/);
  const shown = await llava([...words, "--reference", recipe.model]);
  assert.match(shown.stdout, /6 pairs, 2 unusable; .* have the chosen answer ahead, by/);
  const without = await llava([...words.slice(0, 5), recipe.model]);
  assert.match(without.stderr, /no adapter.*[\s\S]*Give --reference/);
});
