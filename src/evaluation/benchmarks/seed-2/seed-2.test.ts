import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { readAnswers } from "../../answers/index.ts";
import { score } from "../../scoring/index.ts";
import { jsonLines } from "../example-files.ts";
import writeExample from "./example.ts";
import seed2 from "./index.ts";

test("a leaderboard's file, known by its rows, is questions and predictions at once", async () => {
  const folder = temporaryFolder("llava-seed-2");
  const path = join(folder, "some-model.json");
  const rows: readonly (readonly [id: string, prediction: string, truth: string])[] = [
    ["1_0", "A", "A"],
    ["19_3", "B.", "B"],
    ["23_1", "C", "D"],
    ["5_7", "C", "C"],
    ["5_7", "C", "C"],
    ["5_8", "D", "D"],
    ["5_8", "A", "D"],
    ["25_1", "A", "A"],
  ];
  await writeFile(
    path,
    rows
      .map(
        ([id, prediction, truth]) =>
          `${JSON.stringify({ question_id: id, prediction, gt_answer: truth })},\n`,
      )
      .join(""),
  );
  const scored = async (split: string, data = folder, compat = false) => {
    const answers = await readAnswers(seed2, path);
    const options = { benchmark: seed2, answers, model: "m", resamples: 0, partial: true };
    const { result } = await score({ ...options, load: { data, split, compat } });
    const found = Object.fromEntries(result.scores.map(({ name, value }) => [name, value]));
    return { found, items: result.counts.items };
  };
  const { found, items } = await scored("L2");
  assert.deepEqual([found["accuracy"], items], [60, 5]);
  assert.deepEqual([found["accuracy/video"], found["accuracy/Instances Counting"]], [100, 50]);
  assert.equal((await scored("L1", path)).items, 4);
  assert.equal((await scored("L3")).items, 6);
  assert.equal((await scored("L2", folder, true)).found["accuracy/video"], 0);
  const empty = join(folder, "empty");
  await mkdir(empty);
  await assert.rejects(scored("L2", empty), /holds none of SEED-Bench_v2/);
});

test("results of the original evaluation answer the dataset's questions", async () => {
  const folder = temporaryFolder("llava-seed-2");
  await writeExample(folder);
  const path = join(folder, "results.json");
  const given = ["5_0", "17_0", "23_0"].map((id) => ({ question_id: id, prediction: "B" }));
  await writeFile(path, jsonLines(given));
  const answers = await readAnswers(seed2, path);
  const { result } = await score({
    benchmark: seed2,
    load: { data: folder },
    answers,
    model: "m",
    resamples: 0,
  });
  assert.deepEqual([result.scores[0]!.value, result.counts.items], [100, 3]);
});
