import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { readAnswers } from "../../answers/index.ts";
import type { Benchmark, BenchmarkItem } from "../../benchmark.ts";
import writeExample from "./example.ts";
import amber from "./index.ts";

const [descriptions, judgements] = amber as [Benchmark, Benchmark];

async function withExample(check: (data: string) => Promise<void>): Promise<void> {
  const data = temporaryFolder("llava-amber");
  await writeExample(data);
  await check(data);
}

const scoresOf = (benchmark: Benchmark, outcomes: Parameters<Benchmark["aggregate"]>[0]) =>
  Object.fromEntries(
    benchmark.aggregate(outcomes).map(({ name, value }) => [name, Math.round(10 * value) / 10]),
  );

async function itemsOf(benchmark: Benchmark, data: string, compat = false): Promise<BenchmarkItem[]> {
  const items: BenchmarkItem[] = [];
  for await (const item of benchmark.load({ data, compat })) items.push(item);
  return items;
}

test("objects of a description: there, made up, and made up as expected", () =>
  withExample(async (data) => {
    const [item] = await itemsOf(descriptions, data);
    const outcome = descriptions.outcome(
      item!,
      "Two men stand on the grass beside tall trees. Dogs play near a car, and a line runs through the picture.",
    );
    // "line" is a safe word; "picture" no word of the benchmark.
    assert.equal(outcome.parsed, "man, grass, tree, dog (not there), car (not there), line");
    // 2 of 6 nouns; person, grass and forest of 4 objects; this one of 1 description; the dog of 5 traps.
    assert.deepEqual(scoresOf(descriptions, [outcome]), { chair: 33.3, cover: 75, hal: 100, cog: 20 });
    const plain = descriptions.outcome(item!, "The sky is blue.");
    assert.deepEqual(scoresOf(descriptions, [outcome, plain]), { chair: 28.6, cover: 50, hal: 50, cog: 10 });
  }));

test("precision and recall of saying no, by dimension and kind", () =>
  withExample(async (data) => {
    const answers = ["Yes", "No", "yes, there is", "No."];
    for (const compat of [false, true]) {
      const items = await itemsOf(judgements, data, compat);
      const outcomes = items.map((item, index) => judgements.outcome(item, answers[index]!));
      const scores = scoresOf(judgements, outcomes);
      // Said no to the second, rightly, and to the fourth, wrongly; the third is a no as well.
      if (compat) assert.deepEqual([scores["accuracy"], scores["precision"], scores["f1"]], [50, 100, 66.7]);
      else assert.deepEqual([scores["accuracy"], scores["precision"], scores["f1"]], [50, 50, 50]);
      assert.deepEqual(
        [scores["accuracy/attribute"], scores["accuracy/existence"], scores["accuracy/relation"]],
        [100, 0, 0],
      );
      assert.deepEqual([scores["recall/number"], scores["accuracy/state"]], [100, 100]);
      assert.equal(outcomes[2]!.parsed, compat ? undefined : "yes");
    }
  }));

test("a file of both tasks is read by each; ids may be text, and a response may be lacking", () =>
  withExample(async (data) => {
    const path = join(data, "responses.json");
    const rows = [
      { id: 1, response: "A man." },
      { id: "1005", response: "Yes" },
      { id: 8000, response: null },
    ];
    const read = async (benchmark: Benchmark) =>
      Object.fromEntries((await readAnswers(benchmark, path)).texts);
    await writeFile(path, JSON.stringify(rows));
    assert.deepEqual(await read(descriptions), { 1: "A man." });
    assert.deepEqual(await read(judgements), { 1005: "Yes", 8000: "" });
    await writeFile(path, JSON.stringify(rows.slice(1)));
    assert.deepEqual(await read(descriptions), { 1005: "Yes", 8000: "" });
    const lines = join(data, "responses.jsonl");
    await writeFile(lines, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    assert.deepEqual(Object.fromEntries((await readAnswers(judgements, lines)).texts), {
      1005: "Yes",
      8000: "",
    });
  }));
