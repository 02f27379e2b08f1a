import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { LlavaError } from "../../../errors.ts";
import { readAnswers, readVerdicts } from "../../answers/index.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import { score } from "../../scoring/index.ts";
import writeExample from "./example.ts";
import benchmarks from "./index.ts";
import type { ReviewedItem } from "./review.ts";

const [llavaW, , , vicuna] = benchmarks;
let data = "";
before(async () => {
  data = await mkdtemp(join(tmpdir(), "llava-bench-"));
  await writeExample(data);
});
after(() => rm(data, { recursive: true }));

const item = (compat: boolean): BenchmarkItem => {
  const reviewed: ReviewedItem = { id: "0", question: "?", reference: "!", rule: "", compat };
  return reviewed;
};
const parse = (reply: string, compat = false) => llavaW!.judge!.parse(reply, item(compat));

describe("a reply of the judge", () => {
  test("begins with two scores", () => {
    for (const reply of ["8 7.5\nBoth are fine.", "8, 7.5", "\n8 7.5\n", " 8  7.5 ", "8,7.5\n9 9"])
      assert.deepEqual(parse(reply), { reference: 8, model: 7.5 }, JSON.stringify(reply));
    for (const reply of ["", "8", "8 7 6", "8/10 7/10", "Assistant 1: 8", "8 eleven", "8 11", "-1 -1"])
      assert.equal(parse(reply), undefined, JSON.stringify(reply));
  });

  test("must have one space or comma between them in compat, but may leave the scale", () => {
    assert.deepEqual(parse("8 7.5\nfine", true), { reference: 8, model: 7.5 });
    assert.deepEqual(parse("8,7", true), { reference: 8, model: 7 });
    assert.deepEqual(parse("8 11", true), { reference: 8, model: 11 });
    for (const reply of ["8, 7", "\n8 7", "8  7", "8 7 "]) assert.equal(parse(reply, true), undefined, reply);
  });

  test("may come to its scores at the end, for questions of mathematics", () => {
    const read = (reply: string, compat = false) => vicuna!.judge!.parse(reply, item(compat));
    const listed = "The points (10, 4) and (2, 1).\nAssistant 1: 10 (right)\nAssistant 2: 4/10\nDone.";
    assert.deepEqual(read(listed), { reference: 10, model: 4 });
    assert.deepEqual(read("Let us see.\n\nOutput: (1, 7)"), { reference: 1, model: 7 });
    assert.equal(read("The points (10, 4) and (2, 1)."), undefined);
    assert.equal(read(listed, true), undefined);
  });
});

const write = async (name: string, rows: readonly object[]): Promise<string> => {
  const path = join(data, name);
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
};

async function scored(tuples: readonly (readonly [number, number])[], compat: boolean, partial = false) {
  const answers = await write("answers.jsonl", [
    { question_id: 1, text: "a cup" },
    { question_id: 0, text: "tea" },
  ]);
  const rows = tuples.map((tuple, id) => ({ question_id: id, content: tuple.join(" "), tuple }));
  const { result } = await score({
    benchmark: llavaW!,
    load: { data, compat },
    answers: await readAnswers(llavaW!, answers),
    verdicts: await readVerdicts(llavaW!, await write("reviews.jsonl", rows)),
    model: "m",
    partial,
    resamples: 0,
  });
  return { result, values: Object.fromEntries(result.scores.map(({ name, value }) => [name, value])) };
}

test("the score is the ratio of both means; the reference's and the model's stand beside it", async () => {
  const { result, values } = await scored(
    [
      [9, 6],
      [6, 6],
    ],
    false,
  );
  assert.deepEqual(values, {
    relative: 80,
    "relative/conv": (6 / 9) * 100,
    "relative/detail": 100,
    reference: 75,
    "reference/conv": 90,
    "reference/detail": 60,
    model: 60,
    "model/conv": 60,
    "model/detail": 60,
  });
  assert.deepEqual(result.replies, { read: 2, differing: [] });
});

test("compat rounds the means before it divides", async () => {
  // Means 8.0005 and 4.0005: 50.00312 % of them as they are; of 8.0 and 4.0, 50 %.
  const tuples = [
    [8.001, 4.001],
    [8, 4],
  ] as const;
  assert.equal((await scored(tuples, true)).values["relative"], 50);
  assert.ok((await scored(tuples, false)).values["relative"]! > 50.003);
});

test("a failed review is not judged; compat averages its -1", async () => {
  const tuples = [
    [-1, -1],
    [8, 6],
  ] as const;
  await assert.rejects(
    scored(tuples, false),
    (error) => error instanceof LlavaError && /1 of 2 answers need a verdict/.test(error.message),
  );
  const partial = await scored(tuples, false, true);
  assert.equal(partial.values["relative"], 75);
  assert.deepEqual(partial.result.unjudged, ["0"]);
  const compat = await scored(tuples, true);
  assert.equal(compat.values["relative"], 71.4); // 2.5 / 3.5
  assert.equal(compat.values["relative/conv"], 100); // -1 / -1
});

test("the original's judge reads captions a letter a line, and so does that of compat", async () => {
  const context = async (compat: boolean) => {
    for await (const loaded of llavaW!.load({ data, compat })) return (loaded as ReviewedItem).context;
    return undefined;
  };
  assert.equal(await context(false), "A cup of tea.");
  assert.equal((await context(true))!.slice(0, 5), "A\n \nc");
});

test("a question without a reference is named", async () => {
  await writeFile(join(data, "answers_gpt4.jsonl"), JSON.stringify({ question_id: 0, text: "Tea." }));
  await assert.rejects(
    async () => {
      for await (const _ of llavaW!.load({ data }));
    },
    (error) => error instanceof LlavaError && /no line for question 1/.test(error.message),
  );
});
