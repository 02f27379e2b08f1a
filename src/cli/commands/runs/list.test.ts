import assert from "node:assert/strict";
import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { parseHTML } from "linkedom";
import { llava } from "../../../../test/support/cli.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { findRuns } from "./list.ts";

describe("runs", () => {
  const root = temporaryFolder("llava-runs");
  const now = new Date("2026-01-02T00:00:00Z");

  async function makeRun(name: string, lines: readonly string[], age: number): Promise<string> {
    const folder = join(root, name);
    await mkdir(join(folder, "checkpoints"), { recursive: true });
    await writeFile(join(folder, "recipe.json"), "{}\n");
    await writeFile(join(folder, "log.jsonl"), lines.join("\n"));
    const written = new Date(now.getTime() - age * 1000);
    await utimes(join(folder, "log.jsonl"), written, written);
    return folder;
  }

  const step = (number: number, loss: number, seconds = 2): string =>
    JSON.stringify({ step: number, loss, seconds });

  before(async () => {
    const first = await makeRun("first", [step(1, 4), step(2, 3), '{"step":2,"heldOutLoss":3.5}', ""], 4000);
    await writeFile(join(first, "projector.safetensors"), "");
    await mkdir(join(first, "checkpoints", "step-0000002"));
    await makeRun("sweep/a", [step(1, 5), '{"step":2,"lo'], 10);
    await makeRun("sweep/b", [step(1, 5, 40)], 500); // slow steps: ten minutes may pass between two
    await makeRun("sweep/c", [step(1, 5)], 500);
    await mkdir(join(await makeRun("sweep/d", [step(1, 5)], 600), "checkpoints", "step-0000001"));
    await mkdir(join(await makeRun("sweep/e", [step(1, 5)], 700), "adapter"));
  });

  test("are found below a folder, newest first, with their state", async () => {
    const runs = await findRuns([root], now);
    assert.deepEqual(
      runs.map(({ folder, state, step }) => [folder.slice(root.length + 1), state, step]),
      [
        ["sweep/a", "running", 1],
        ["sweep/b", "running", 1],
        ["sweep/c", "crashed", 1],
        ["sweep/d", "stopped", 1],
        ["sweep/e", "finished", 1],
        ["first", "finished", 2],
      ],
    );
    const first = runs.at(-1)!;
    assert.deepEqual([first.loss, first.heldOutLoss, first.seconds, first.checkpoint], [3, 3.5, 4, 2]);
  });

  test("are refused where there are none", () =>
    assert.rejects(findRuns([join(root, "first", "checkpoints")], now), /checkpoints holds no training run/));

  test("are listed and drawn together by the command", async () => {
    const plot = join(root, "loss.svg");
    const { status, stdout } = await llava(["runs", root, "--plot", plot]);
    assert.equal(status, 0);
    assert.match(stdout, /^first +finished +2 +3\.0000 +3\.5000 +0:00:04 +2 /m);
    const { document } = parseHTML(await readFile(plot, "utf8"));
    const names = [...document.querySelectorAll("path.line title")].map(({ textContent }) => textContent);
    assert.deepEqual(new Set(names), new Set(["first", "a", "b", "c", "d", "e"]));
    const wrong = await llava(["runs", root, "--plot", plot, "--metric", "accuracy"]);
    assert.notEqual(wrong.status, 0);
    assert.match(wrong.stderr, /no run has logged "accuracy"\n.*step, loss, seconds, heldOutLoss/);
  });
});
