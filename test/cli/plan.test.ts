// llava plan, end to end: npm test -- test/cli/plan.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { llava } from "../support/cli.ts";
import { file, goodModel } from "../support/refusals.ts";

const training = fileURLToPath(new URL("../../src/training/index.ts", import.meta.url));
const recipe = file(
  "recipe.ts",
  `import { recipe } from ${JSON.stringify(training)};
export default recipe({
  model: ${JSON.stringify(goodModel)},
  train: ["projector", "languageModel"],
  data: { rows: "rows.json", images: "images", template: "v1" },
  optimizer: { learningRate: 1e-5 },
  batchSize: 16,
});
`,
);

interface Planned {
  readonly total: number;
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
  readonly microBatch: { readonly rows: number };
  readonly rows: { readonly text: number; readonly supervised: number };
  readonly fits?: boolean;
  readonly step?: { readonly seconds: number; readonly binds: string; readonly microBatches: number };
  readonly run?: { readonly hours: number };
  readonly warnings?: readonly string[];
  readonly changes: readonly { readonly fields: string; readonly total: number }[];
}

async function plan(...args: string[]): Promise<Planned> {
  const { status, stdout, stderr } = await llava(["plan", recipe, "--json", ...args]);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Planned;
}

describe("plan", () => {
  test("tells what a recipe takes, part by part, and whether that fits", async () => {
    const { status, stdout, stderr } = await llava(["plan", recipe, "--memory", "24GB"]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^total +0\.\d{3} GB +fits into 24\.0 GB$/m);
    assert.match(stdout, /^process .*Node and libtorch$/m);
    assert.match(
      stdout,
      /micro-batches of 16 rows, each with 1 image and 255 tokens of text, 90 of them trained/,
    );
  });

  test("follows fields, devices and rows' lengths, and says what to change for less memory", async () => {
    const [whole, shared, short] = await Promise.all([
      plan("--memory", "100MB"),
      plan("--gpus", "2", "--accumulation", "4"),
      plan("--text-tokens", "40"),
    ]);
    assert.equal(
      whole.parts.reduce((sum, { bytes }) => sum + bytes, 0),
      whole.total,
    );
    assert.equal(whole.fits, false);
    assert.match(whole.changes[0]!.fields, /^--accumulation \d+$/);
    assert.ok(whole.changes.every(({ total }) => total < whole.total));
    assert.equal(shared.microBatch.rows, 2);
    assert.ok(shared.parts.some(({ name }) => name === "context"));
    assert.deepEqual([short.rows.text, short.rows.supervised], [40, 40]);
    assert.ok(short.total < whole.total);
  });

  test("tells what a step takes on GPUs of several machines, and what makes it slow", async () => {
    const cluster = ["--gpus", "16", "--nodes", "2", "--gpu", "a100-80", "--rows", "1000"];
    const [fast, slow] = await Promise.all([
      plan(...cluster, "--sharding", "states"),
      plan(
        ...cluster,
        "--sharding",
        "weights",
        "--network",
        "1Gb",
        "--batchSize",
        "64",
        "--accumulation",
        "2",
      ),
    ]);
    assert.ok(fast.step!.seconds > 0 && fast.run!.hours > 0);
    assert.equal(slow.step!.binds, "network");
    assert.equal(slow.step!.microBatches, 2);
    assert.match(slow.warnings!.join("\n"), /cross the network in each of 2 micro-batches/);
    assert.equal((await plan()).step, undefined);
    const { stdout } = await llava(["plan", recipe, ...cluster]);
    assert.match(stdout, /^on 16 × A100 80 GB in 2 machines, .* hours for 1,000 rows$/m);
    assert.match(stdout, /% of the peak is of use \(MFU\); most at work: /);
  });

  test("refuses what is no size, and a recipe that is not there", async () => {
    for (const [args, message] of [
      [[recipe, "--memory", "plenty"], /size such as 24GB/],
      [[recipe, "--gpus", "8", "--gpu", "abacus"], /known are/i],
      [[recipe, "--gpus", "8", "--sharding", "some"], /"none"\|"states"\|"weights"/],
      [["nowhere.ts"], /nowhere\.ts/],
    ] as const) {
      const { status, stderr } = await llava(["plan", ...args]);
      assert.notEqual(status, 0);
      assert.match(stderr, message);
    }
  });
});
