import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import writeExample from "./example.ts";
import egoschema from "./index.ts";

async function withData(check: (data: string) => Promise<void>): Promise<void> {
  const data = temporaryFolder("llava-egoschema");
  await check(data);
}

async function itemsOf(data: string, split?: string): Promise<BenchmarkItem[]> {
  const items: BenchmarkItem[] = [];
  for await (const item of egoschema.load({ data, split })) items.push(item);
  return items;
}

test("the subset is scored by letter, by text, or by the first letter that stands alone", () =>
  withData(async (data) => {
    await writeExample(data);
    const [item, ...others] = await itemsOf(data);
    assert.equal(others.length, 0);
    const credits = [
      "D",
      "D. C is cleaning",
      "C is cleaning dishes",
      "Clearly it is D, not A",
      "E",
      "dishes",
      "C washes up: D",
    ].map((answer) => egoschema.outcome(item!, answer).credit);
    assert.deepEqual(credits, [1, 1, 1, 1, 0, 0, 1]);
  }));

test("all questions are submitted as numbers; scores of those without answers are refused", () =>
  withData(async (data) => {
    await writeExample(data);
    const items = await itemsOf(data, "full");
    assert.throws(() => egoschema.outcome(items[1]!, "A"), /no right answer/);
    const bytes = await egoschema.submission!.write(items, new Map([["0074f737", "B."]]));
    const path = join(data, "predictions.json");
    await writeFile(path, bytes);
    assert.equal(new TextDecoder().decode(bytes), '{"0074f737":1,"00b9a0de":-1}');
    assert.equal(await egoschema.readPredictions!(path), undefined);
    await writeFile(path, '{"0074f737":3}');
    const answers = [];
    for await (const answer of (await egoschema.readPredictions!(path))!) answers.push(answer);
    assert.deepEqual(answers, [{ id: "0074f737", text: "D" }]);
  }));

test("answers alone suffice for scoring", () =>
  withData(async (data) => {
    await writeFile(join(data, "subset_answers.json"), '{"a":0,"b":4}');
    const items = await itemsOf(data);
    assert.deepEqual(egoschema.prompt(items[0]!), []);
    const credits = items.map((item) => egoschema.outcome(item, "(e)").credit);
    assert.deepEqual(credits, [0, 1]);
  }));
