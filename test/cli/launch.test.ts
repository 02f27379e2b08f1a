// Several processes that train together: npm test -- test/cli/launch.test.ts
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { llava, startLlava } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { fixtures, stages } from "../support/training-rows.ts";

const folder = temporaryFolder("llava-launch");

function recipeFile(name: string, fields: object): { path: string; output: string } {
  const output = join(folder, name);
  const path = join(folder, `${name}.mjs`);
  const recipe = {
    ...{ model: join(fixtures, "llava/llama"), projector: "loaded", ...stages["full"] },
    data: {
      rows: join(fixtures, "training/rows.json"),
      images: join(fixtures, "llava/images"),
      template: "vicuna_v1",
    },
    ...{ optimizer: { learningRate: 2e-3 }, batchSize: 6, epochs: 1e6, dtype: "float32", output },
    ...fields,
  };
  writeFileSync(path, `export default ${JSON.stringify(recipe)}`);
  return { path, output };
}

const log = (output: string): { step: number; loss: number }[] => {
  const path = join(output, "log.jsonl");
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
};

/** Of a process whose ranks are its children. */
function pidOfRank(launcher: number, rank: number): number {
  const children = readFileSync(`/proc/${launcher}/task/${launcher}/children`, "utf8").trim().split(" ");
  return Number(
    children.find((pid) => readFileSync(`/proc/${pid}/environ`, "utf8").includes(`\0RANK=${rank}\0`)),
  );
}

async function started(name: string, fields: object, ...options: string[]) {
  const { path, output } = recipeFile(name, fields);
  const { child, ended } = startLlava(["-q", "launch", "--processes", "2", ...options, "--", "train", path]);
  while (child.exitCode === null && log(output).length < 3) await wait(20);
  return { child, ended, output };
}

describe("llava launch", () => {
  const isLinux = process.platform === "linux";

  test("starts all again where a rank was killed, and the losses are one process's", {
    skip: !isLinux,
  }, async () => {
    const fields = { maxSteps: 8, checkpoint: { every: 2 }, sharding: "weights" };
    const { child, ended, output } = await started("killed", fields, "--restarts", "1");
    process.kill(pidOfRank(child.pid!, 1), "SIGKILL");
    const { status, stderr } = await ended;
    assert.equal(status, 0, stderr);
    assert.match(stderr, /llava: rank 0: stopping, since rank 1 \(.+, after step \d+\) is gone\n/);
    assert.match(stderr, /starting all ranks again \(1 of 1\)/);
    const alone = recipeFile("alone", { maxSteps: 8, checkpoint: { every: 100 } });
    assert.equal((await llava(["-q", "train", alone.path])).status, 0);
    const [many, one] = [log(output), log(alone.output)];
    assert.deepEqual(
      many.map(({ step }) => step),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
    for (const [i, { loss }] of one.entries())
      assert.ok(Math.abs(many[i]!.loss / loss - 1) <= 1e-5, `step ${i + 1}: ${many[i]!.loss}, ${loss}`);
  });

  test("hands Ctrl-C on: all ranks end after the same step, which is saved", async () => {
    const { child, ended, output } = await started("stopped", { checkpoint: { every: 1000 } });
    child.kill("SIGINT");
    const { status, stderr } = await ended;
    assert.equal(status, 130, stderr);
    const steps = [...stderr.matchAll(/stopped after step (\d+)/g)].map(([, step]) => Number(step));
    assert.equal(steps.length, 2, stderr);
    assert.equal(steps[0], steps[1]);
    assert.ok(existsSync(join(output, `checkpoints/step-${String(steps[0]).padStart(7, "0")}/state.json`)));
  });

  test("names the rank and the row in the last lines where a row of one cannot be used", async () => {
    const broken = join(folder, "broken.png");
    writeFileSync(broken, "no image");
    const all = JSON.parse(readFileSync(join(fixtures, "training/rows.json"), "utf8")) as {
      image?: unknown;
    }[];
    const text = all.find(({ image }) => image === undefined)!;
    const rows = Array.from({ length: 40 }, (_, i) => ({ ...text, id: `text-${i}` }));
    const path = join(folder, "broken.json");
    const bad = {
      ...all.find(({ image }) => typeof image === "string"),
      id: "the-bad-one",
      image: "broken.png",
    };
    writeFileSync(path, JSON.stringify([...rows, bad]));
    const data = { rows: path, images: folder, template: "vicuna_v1" };
    const { path: recipe } = recipeFile("bad-row", { data, batchSize: 4 });
    const { status, stderr } = await llava(["-q", "launch", "--processes", "2", "--", "train", recipe]);
    assert.equal(status, 1, stderr);
    const last = stderr.split("\n").filter((line) => line.includes("stopping, since"));
    assert.equal(last.length, 2, stderr);
    for (const line of last)
      assert.match(line, /llava: rank \d: stopping, since rank \d \(.*\) failed: .*the-bad-one/);
  });

  test("refuses what it cannot start", async () => {
    const refused = async (args: readonly string[], message: RegExp) => {
      const { status, stderr } = await llava(["launch", ...args]);
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
    };
    await refused(["--processes", "2", "--", "chat", "x.jpg"], /chat does not run in several processes/);
    await refused(["--processes", "0", "--", "train", "x"], /expected a whole number from 1/);
    await refused(["--processes", "2", "--nodes", "2", "--", "train", "x"], /2 machines need the address/);
    await refused(
      ["--processes", "2", "--nodes", "2", "--node-rank", "2", "--", "train", "x"],
      /machine 2 of 2/,
    );
  });
});
