import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../errors.ts";
import { readAnswers, readVerdicts } from "../answers/index.ts";
import { type Benchmark, type BenchmarkItem, benchmark } from "../benchmark.ts";
import { compareResults, readOutcomes, readResult, scoreToFile } from "../results/index.ts";
import { type ScoreOptions, score } from "./index.ts";

interface Sum extends BenchmarkItem {
  readonly question: string;
  readonly sum: number;
}

/** Sums of two digits, 0+0 to 9+9: two share a group each, answers that are no numbers need a judge. */
const sums: Benchmark = benchmark<Sum>({
  name: "sums",
  title: "Sums",
  source: "made up",
  files: [],
  splits: ["even", "odd"],
  headline: "accuracy",
  published: [],
  sampling: {},
  async *load({ split = "even" }) {
    for (let a = 0; a < 10; a++)
      for (let b = 0; b < 10; b++)
        if ((a + b) % 2 === (split === "even" ? 0 : 1))
          yield { id: `${a}+${b}`, question: `${a} + ${b}?`, sum: a + b, labels: { first: String(a) } };
  },
  prompt: ({ question }) => [
    {
      role: "user",
      content: [
        { type: "image", image: "/x/a.png" },
        { type: "text", text: question },
      ],
    },
  ],
  outcome: ({ id, sum, labels }, answer, verdict) => {
    const isRight = verdict ? verdict["right"] === 1 : answer === String(sum);
    const parsed = verdict || /^\d+$/.test(answer) ? answer : undefined;
    return { id, credit: isRight ? 1 : 0, parsed, group: id[0]!, labels: labels! };
  },
  aggregate: (outcomes) => [
    {
      name: "accuracy",
      value: (100 * outcomes.reduce((total, { credit }) => total + credit, 0)) / outcomes.length,
      count: outcomes.length,
      digits: 1,
    },
  ],
  judge: {
    model: "judge-1",
    sampling: {},
    official: "same",
    needed: (_, answer) => !/^\d*$/.test(answer),
    prompt: () => [],
    parse: (reply) => (reply === "yes" ? { right: 1 } : reply === "no" ? { right: 0 } : undefined),
    failed: ({ right: mark }) => mark === -1,
  },
});

const folder = temporaryFolder("score");

interface Row {
  readonly question_id: string;
  readonly text: string;
}

/** Right answers to the even sums, in reverse order. */
const right = (): Row[] =>
  Array.from({ length: 100 }, (_, index) => [Math.floor(index / 10), index % 10] as const)
    .filter(([a, b]) => (a + b) % 2 === 0)
    .map(([a, b]) => ({ question_id: `${a}+${b}`, text: String(a + b) }))
    .reverse();

let files = 0;
function write(rows: readonly object[] | string | Buffer): string {
  const path = join(folder, `answers-${++files}.jsonl`);
  const lines = (objects: readonly object[]) => objects.map((row) => `${JSON.stringify(row)}\n`).join("");
  writeFileSync(path, typeof rows === "string" || Buffer.isBuffer(rows) ? rows : lines(rows));
  return path;
}

const scored = async (path: string, options: Partial<ScoreOptions> = {}) =>
  score({
    benchmark: sums,
    load: { data: "" },
    answers: await readAnswers(sums, path),
    model: "m",
    ...options,
  });

const refused = (work: Promise<unknown>, ...patterns: RegExp[]): Promise<void> =>
  assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof LlavaError && error.code === "data", String(error));
    for (const pattern of patterns) assert.match(`${error.message} ${error.hint}`, pattern);
    return true;
  });

describe("scoring answers", () => {
  test("joins by id, whatever the order of the lines", async () => {
    const rows = right();
    rows[0] = { ...rows[0]!, text: "0" }; // 9+9
    rows[7] = { ...rows[7]!, text: "" };
    const { result } = await scored(write(rows));
    assert.equal(result.scores[0]!.value, 96);
    assert.deepEqual(result.tables["first"]!["0"], { credit: 1, count: 5 });
    assert.deepEqual(result.tables["first"]!["9"], { credit: 0.8, count: 5 });
    assert.equal(result.counts.unparsed, 1);
    assert.equal(result.split, "even");
  });

  test("reads a list, an object and a run's store alike", async () => {
    const rows = right();
    const list = write(JSON.stringify(rows.map(({ question_id, text }) => ({ question_id, answer: text }))));
    const texts = write(
      JSON.stringify(Object.fromEntries(rows.map(({ question_id, text }) => [question_id, text])), null, 2),
    );
    const failed = { id: rows[3]!.question_id, error: "503", attempts: 4 };
    const store = write([
      failed,
      ...rows.map(({ question_id, text }) => ({ id: question_id, text, model: "m2" })),
    ]);
    for (const path of [list, texts, store]) assert.equal((await scored(path)).result.scores[0]!.value, 100);
    assert.equal((await readAnswers(sums, store)).model, "m2");
  });

  test("several files make up one set of answers", async () => {
    const rows = right();
    const paths = [write(rows.slice(0, 20)), write(rows.slice(20))];
    assert.equal((await readAnswers(sums, ...paths)).texts.size, 50);
    await refused(
      readAnswers(sums, paths[0]!, paths[0]!),
      /a second answer to question "9\+9", after line 1/,
    );
  });

  test("names the line of what is wrong with a file", async () => {
    const lines = right().map((row) => JSON.stringify(row));
    await refused(
      readAnswers(sums, write([...lines.slice(0, 9), lines[9]!.slice(0, 12)].join("\n"))),
      /:10: not valid JSON/,
    );
    await refused(
      readAnswers(sums, write([...lines, lines[4]].join("\n"))),
      /:51: a second answer .* after line 5/,
    );
    const latin = Buffer.from(`${lines[0]}\n${lines[1]!.replace('"text":"', '"text":"\xe9')}\n`, "latin1");
    await refused(readAnswers(sums, write(latin)), /:2: not UTF-8/);
    await refused(readAnswers(sums, write(`${lines[0]}\n{"text":"1"}\n`)), /:2: has no question_id/);
    await refused(readAnswers(sums, write("")), /is empty/);
    await refused(readAnswers(sums, join(folder, "none.jsonl")), /none\.jsonl: cannot be read/);
  });

  test("says how many answers are missing, unknown, or of another split", async () => {
    const rows = right();
    await refused(
      scored(write(rows.slice(3))),
      /3 of 50 questions of sums \(even\) have no answer, the first is "9\+5"/,
    );
    const stray = write([...rows, { question_id: "1+2", text: "3" }]);
    await refused(scored(stray), /:51: 1 of 51 answers .* the first to "1\+2"/, /--partial/);
    await refused(
      scored(write(rows), { load: { data: "", split: "odd" } }),
      /50 of 50/,
      /another split.*even, odd/,
    );
    const { result } = await scored(write([...rows.slice(10), { question_id: "1+2", text: "3" }]), {
      partial: true,
    });
    const { items, answered, missing, unknown, scored: covered } = result.counts;
    assert.deepEqual([items, answered, missing, unknown, covered], [50, 40, 10, 1, 40]);
    assert.equal(result.missing.length, 10);
  });

  test("refuses a data folder with a question twice", async () => {
    const twice: Benchmark = {
      ...sums,
      async *load(options) {
        yield* sums.load(options);
        yield* sums.load(options);
      },
    };
    await refused(
      scored(write(right()), { benchmark: twice }),
      /sums \(even\): has two questions with the id "0\+0"/,
    );
  });

  test("failures are counted and listed, never averaged in", async () => {
    const rows = right().slice(1);
    const path = write([{ id: "9+9", error: "timed out" }, ...rows]);
    const { result } = await scored(path, { partial: true });
    assert.equal(result.scores[0]!.value, 100);
    assert.deepEqual(result.failures, [{ id: "9+9", reason: "timed out" }]);
    assert.equal(result.counts.failed, 1);
  });

  test("answers that need a judge wait for it, or count as wrong if asked", async () => {
    const rows = right();
    rows[0] = { question_id: "9+9", text: "eighteen" };
    rows[1] = { question_id: "9+7", text: "many" };
    const path = write(rows);
    await refused(scored(path), /2 of 50 answers need a verdict/, /--no-judge/);
    assert.equal((await scored(path, { withoutJudge: true })).result.scores[0]!.value, 96);
    const verdicts = await readVerdicts(
      sums,
      write([
        { id: "9+9", verdict: { right: 1 }, reply: "yes", judge: "judge-2" },
        { id: "9+7", reply: "?", judge: "judge-2" },
      ]),
    );
    await refused(scored(path, { verdicts }), /1 of 50 answers need a verdict .* "9\+7"/);
    const { result } = await scored(path, { verdicts, judge: verdicts.judge, partial: true });
    assert.deepEqual([result.counts.judged, result.counts.judgeable, result.counts.scored], [1, 2, 49]);
    assert.equal(result.scores[0]!.value, 100);
    assert.equal(result.judge, "judge-2");
    assert.deepEqual(result.unjudged, ["9+7"]);
  });

  test("a result says what differs from the official scorer, and of the judge's words if it was asked", async () => {
    const withheld = { withheld: "its licence forbids it" };
    const benchmark = {
      ...sums,
      differences: ["sums are exact"],
      judge: { ...sums.judge!, official: withheld },
    };
    const judging = {
      requested: "j",
      sampling: {},
      prompts: "",
      example: "",
      read: [],
      unreadable: 0,
      failed: 0,
    };
    const path = write(right());
    assert.deepEqual((await scored(path, { benchmark })).result.differences, ["sums are exact"]);
    const { differences } = (await scored(path, { benchmark, judging })).result;
    assert.deepEqual(differences, [
      "sums are exact",
      "the judge is asked in this project's own words; the official prompt is not offered: its licence forbids it",
    ]);
  });

  test("verdicts are compared with the judge's words, and marks of failure are none", async () => {
    const words = ["nine", "eight", "seven", "six"];
    const rows = right().map((row, index) => ({ ...row, text: words[index] ?? row.text }));
    const [first, second, third, fourth] = rows.map(({ question_id }) => question_id);
    const verdicts = await readVerdicts(
      sums,
      write([
        { id: first, verdict: { right: 1 }, reply: "yes" },
        { id: second, verdict: { right: 1 }, reply: "no" },
        { id: third, verdict: { right: 1 }, reply: "who knows" },
        { id: fourth, verdict: { right: -1 }, reply: "I cannot" },
      ]),
    );
    await refused(scored(write(rows), { verdicts }), /1 of 50 answers need a verdict/);
    const { result } = await scored(write(rows), { verdicts, partial: true });
    assert.equal(result.counts.judged, 3);
    assert.deepEqual(result.replies, {
      read: 3,
      differing: [
        { id: third, verdict: { right: 1 }, reading: null },
        { id: second, verdict: { right: 1 }, reading: { right: 0 } },
      ],
    });
    assert.equal((await scored(write(right()))).result.replies, null);
  });

  test("the hash of the prompts holds for other answers and folders, not for other questions", async () => {
    const path = write(right());
    const [one, two] = [await scored(path), await scored(path, { load: { data: "elsewhere" } })];
    assert.equal(one.result.prompts, two.result.prompts);
    const terse: Benchmark = { ...sums, prompt: () => [{ role: "user", content: "?" }] };
    assert.notEqual((await scored(path, { benchmark: terse })).result.prompts, one.result.prompts);
  });
});

describe("results", () => {
  const save = async (name: string, change: (row: Row) => Row, options: Partial<ScoreOptions> = {}) => {
    const path = join(folder, "results", `${name}.json`);
    const answers = await readAnswers(sums, write(right().map(change)));
    await scoreToFile(path, { benchmark: sums, load: { data: "" }, answers, model: name, ...options });
    const result = await readResult(path);
    return { path, result, outcomes: readOutcomes(path, result) };
  };

  test("are read back as written, with a row a question", async () => {
    const { path, result, outcomes } = await save("whole", (row) => row);
    assert.equal(result.outcomes, "whole.outcomes.jsonl");
    const rows = [];
    for await (const row of outcomes) rows.push(row);
    assert.equal(rows.length, 50);
    const expected = { id: "0+2", credit: 1, parsed: "2", group: "0", labels: { first: "0" }, answer: "2" };
    assert.deepEqual(rows[1], { ...expected, prompt: "<image>0 + 2?", images: ["/x/a.png"] });
    writeFileSync(path, readFileSync(path, "utf8").replace('"accuracy"', "7"));
    await refused(readResult(path), /whole\.json: is no result: headline/);
  });

  test("leave nothing behind when scoring fails", async () => {
    const path = join(folder, "failed", "result.json");
    const answers = await readAnswers(sums, write(right().slice(1)));
    const options = { benchmark: sums, load: { data: "" }, answers, model: "m" };
    await assert.rejects(scoreToFile(path, options), LlavaError);
    const { readdirSync } = await import("node:fs");
    assert.deepEqual(readdirSync(join(folder, "failed")), []);
  });

  test("are compared question by question", async () => {
    // Wrong in the first: all that start with 1 (5); in the second: 3+5 alone.
    const first = await save("first", (row) =>
      row.question_id.startsWith("1") ? { ...row, text: "0" } : row,
    );
    const second = await save("second", (row) => (row.question_id === "3+5" ? { ...row, text: "0" } : row));
    const comparison = await compareResults(sums, first, second);
    assert.deepEqual(comparison.values, [90, 98]);
    assert.equal(comparison.difference, 8);
    assert.deepEqual(
      comparison.gained.map(({ id }) => id),
      ["1+1", "1+3", "1+5", "1+7", "1+9"],
    );
    assert.deepEqual(comparison.lost, [{ id: "3+5", before: 1, after: 0 }]);
    // 6 tosses, at most 1 tail: 2 · (1 + 6) / 64.
    assert.ok(Math.abs(comparison.mcnemar! - 14 / 64) < 1e-12);
    // Exchanging groups 1 and 3: all four patterns give ±12 or ±8, so that every one is as extreme.
    assert.equal(comparison.p, 1);
    const [low, high] = comparison.interval;
    assert.ok(low < 8 && high > 8 && low >= -20 && high <= 60, `${low} ${high}`);
  });

  test("are not compared if the judge, split, scoring or prompts differ", async () => {
    const one = await save("one", (row) => row);
    const other = (change: object) =>
      compareResults(sums, one, { ...one, result: { ...one.result, ...change } });
    const usage = (message: RegExp) => (error: unknown) =>
      error instanceof LlavaError && error.code === "usage" && message.test(error.message);
    await assert.rejects(other({ judge: "judge-9" }), usage(/different judges: null and judge-9/));
    await assert.rejects(other({ split: "odd" }), usage(/different splits/));
    await assert.rejects(other({ benchmark: "pope" }), usage(/different benchmarks/));
    await assert.rejects(other({ compat: true }), usage(/different scoring/));
    await assert.rejects(other({ prompts: "0" }), usage(/different prompts/));
    const forced = {
      ...one,
      outcomes: readOutcomes(one.path, one.result),
      result: { ...one.result, prompts: "0" },
    };
    const again = { ...one, outcomes: readOutcomes(one.path, one.result) };
    assert.deepEqual((await compareResults(sums, again, forced, { force: true })).warnings, [
      "the prompts differ",
    ]);
  });
});
