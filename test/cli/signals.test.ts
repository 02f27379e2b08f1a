// Ctrl-C and SIGTERM in the middle of the work: npm test -- test/cli/signals.test.ts
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startLlava } from "../support/cli.ts";
import { drawSquares } from "../support/coloured-squares.ts";
import { startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const model = fileURLToPath(new URL("../fixtures/llava/llama", import.meta.url));
const folder = temporaryFolder("llava-signals");

test("Ctrl-C while many prompts are answered ends with 130, and no row is half written", async () => {
  const rows = Array.from({ length: 400 }, (_, id) => JSON.stringify({ id, prompt: "Hello there" }));
  const path = join(folder, "many.jsonl");
  writeFileSync(path, rows.join("\n"));
  const { child, ended } = startLlava([
    ...["generate", model, "--json", "--input", path, "--ignore-eos", "--batch-size", "2"],
  ]);
  child.stdout!.once("data", () => child.kill("SIGINT"));
  const { status, stdout, stderr } = await ended;
  assert.deepEqual([status, stderr], [130, "llava: stopped\n"]);
  const lines = stdout.split("\n");
  assert.equal(lines.pop(), "");
  assert.ok(lines.length > 0 && lines.length < rows.length);
  for (const line of lines) assert.equal(JSON.parse(line).finishReason, "length");
});

test("Ctrl-C while a trace waits for its image ends with 130 and leaves no file", async () => {
  let asked = (): void => {};
  const request = new Promise<void>((resolve) => {
    asked = resolve;
  });
  await using server = await startServer(() => asked()); // never answers
  const out = join(folder, "trace.safetensors");
  const { child, ended } = startLlava([
    ...["trace", model, "--allow-private", "--image", `${server.url}/a.png`, "--prompt", "Hi", "--out", out],
  ]);
  await request;
  child.kill("SIGINT");
  const { status, stderr } = await ended;
  assert.equal(status, 130, stderr);
  assert.match(stderr, /^llava: .*stopped\n$/);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("trace")),
    [],
  );
});

describe("training", () => {
  for (const [signal, expected] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)
    test(`${signal} ends with ${expected} after the step under way, which is saved`, async () => {
      const rows = await drawSquares(folder, "train", 4);
      const run = join(folder, signal);
      const recipe = join(folder, "recipe.mjs");
      const fields = {
        model,
        data: { rows, images: folder, template: "plain", answerEnd: "</s>" },
        optimizer: { learningRate: 1e-3 },
        dtype: "float32",
        batchSize: 8,
        epochs: 1e6,
        output: run,
      };
      writeFileSync(recipe, `export default ${JSON.stringify(fields)}`);
      const { child, ended } = startLlava(["--quiet", "train", recipe]);
      const log = join(run, "log.jsonl");
      const steps = (): number => (existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0);
      while (child.exitCode === null && steps() < 3) await wait(20);
      child.kill(signal);
      const { status, stderr } = await ended;
      assert.equal(status, expected, stderr);
      const [, step] =
        /^llava: stopped after step (\d+) of \d+\n--resume goes on from there\.\n$/.exec(stderr) ?? [];
      assert.equal(steps(), Number(step), stderr);
      assert.deepEqual(readdirSync(join(run, "checkpoints")), [`step-${step!.padStart(7, "0")}`]);
      assert.ok(!existsSync(join(run, "projector.safetensors")));
    });
});
