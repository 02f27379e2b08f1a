import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../errors.ts";
import { type Benchmark, type BenchmarkItem, benchmark } from "../benchmark.ts";
import { readAnswerFiles } from "./index.ts";

interface Colour extends BenchmarkItem {
  readonly question: string;
  readonly truth: string;
}

const things = ["sky", "grass", "snow", "coal"];
const colours = ["blue", "green", "white", "black"];

/** Questions whose ids no other evaluation knows. */
const paint: Benchmark = benchmark<Colour>({
  name: "paint",
  title: "Paint",
  source: "made up",
  files: [],
  splits: ["test"],
  headline: "accuracy",
  published: [],
  sampling: {},
  async *load() {
    for (const [index, thing] of things.entries())
      yield { id: `q-${thing}`, question: `What colour is ${thing}?`, truth: colours[index]! };
  },
  prompt: ({ question }) => [{ role: "user", content: `${question}\nOne word.` }],
  outcome: ({ id, truth }, answer) => ({ id, truth, parsed: answer, credit: answer === truth ? 1 : 0 }),
  aggregate: () => [],
});

const folder = temporaryFolder("llava-peers");

let files = 0;
async function read(content: string): Promise<[string, string][]> {
  const path = join(folder, `file-${++files}`);
  writeFileSync(path, content);
  return [...(await readAnswerFiles(paint, [path], { load: { data: "" } })).texts];
}

const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const said = things.map((thing, index): [string, string] => [`q-${thing}`, `said ${index}`]);

const samples = things.map((thing, index) => ({
  doc_id: index,
  target: colours[index],
  doc: { question_id: index + 500, question: `What colour is ${thing}?`, answer: colours[index] },
  arguments: [[`What colour is ${thing}?\nOne word.`, { until: ["\n"] }]],
  resps: [[`said ${index}`]],
  filtered_resps: [`said ${index}`],
  accuracy: { question_id: index + 500, pred: "x", answer: colours[index] },
}));

test("lmms-eval's three generations of samples are joined by place, proven by the question", async () => {
  const reversed = samples.toReversed();
  assert.deepEqual(await read(JSON.stringify({ args: {}, model_configs: {}, logs: samples }, null, 2)), said);
  assert.deepEqual(new Map(await read(lines(reversed))), new Map(said));
  const newest = samples.map(({ doc: _, arguments: asked, resps: __, ...rest }) => ({
    ...rest,
    input: asked[0]![0],
    filtered_resps: rest.filtered_resps[0],
    doc_hash: "x",
  }));
  assert.deepEqual(await read(lines(newest)), said);
  assert.deepEqual(await read(lines(newest.map(({ input: _, ...rest }) => rest))), said);
});

test("a place in another order, or one that nothing proves, is refused", async () => {
  const moved = samples.map((sample, index) => ({ ...sample, doc_id: (index + 1) % 4 }));
  await assert.rejects(read(lines(moved)), (error) => {
    assert.ok(error instanceof LlavaError && error.code === "data");
    assert.match(error.message, /:1: answers question .* not that of paint/);
    assert.match(error.hint!, /--data/);
    return true;
  });
  const bare = samples.map(({ doc_id, filtered_resps }) => ({ doc_id, target: null, filtered_resps }));
  await assert.rejects(read(lines(bare)), /not that of paint/);
  const likelihoods = samples.map((sample) => ({
    ...sample,
    resps: [[-1.5, false]],
    filtered_resps: [[-1.5, false]],
  }));
  await assert.rejects(read(lines(likelihoods)), /likelihoods/);
  await assert.rejects(read(lines([...samples, samples[1]!])), /a second answer to question "q-grass"/);
});

test("VLMEvalKit's index is the id where the data folder has it, else a place that the question proves", async () => {
  const rows = things.map((thing, index) => ({
    index,
    question: `What colour is ${thing}?`,
    answer: colours[index],
    prediction: `said ${index}`,
  }));
  assert.deepEqual(await read(JSON.stringify(rows)), said);
  assert.deepEqual(
    await read(lines(rows.map((row, index) => ({ ...row, index: `q-${things[index]}` })))),
    said,
  );
  await assert.rejects(
    read(lines(rows.map((row) => ({ ...row, question: "What is it?" })))),
    /not that of paint/,
  );
});
