import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as fake from "../../../test/support/endpoint.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { EndpointModel } from "../../client/index.ts";
import { AnswerStore, chatAnswerer } from "../../runner/index.ts";
import { type Benchmark, type BenchmarkItem, benchmark } from "../benchmark.ts";
import { compareResults, type Result } from "../results/index.ts";
import { score } from "../scoring/index.ts";
import { type JudgeOptions, judgeAnswers, openReplay } from "./index.ts";

interface Item extends BenchmarkItem {
  readonly question: string;
}

/** Forty questions; answers that begin with "rule" need no judge, which grades the others from 0 to 10. */
const graded: Benchmark = benchmark<Item>({
  name: "graded",
  title: "Graded",
  source: "made up",
  files: [],
  splits: ["test"],
  headline: "grade",
  published: [],
  sampling: {},
  async *load() {
    for (let number = 0; number < 40; number++) yield { id: `q${number}`, question: `Question ${number}?` };
  },
  prompt: ({ question }) => [{ role: "user", content: question }],
  outcome: ({ id }, answer, verdict) => ({
    id,
    parsed: verdict ? String(verdict["grade"]) : answer,
    credit: verdict ? Number(verdict["grade"]) / 10 : 1,
  }),
  aggregate: (outcomes) => [
    {
      name: "grade",
      value: (100 * outcomes.reduce((sum, { credit }) => sum + credit, 0)) / outcomes.length,
      count: outcomes.length,
      digits: 1,
    },
  ],
  judge: {
    model: "judge-1",
    sampling: { temperature: 0.2, maxTokens: 8 },
    official: "same",
    needed: (_, answer) => !answer.startsWith("rule"),
    prompt: ({ question }, answer) => [{ role: "user", content: `Grade.\n${question}\n${answer}` }],
    parse: (reply) => (/^\d+$/.test(reply.trim()) ? { grade: Number(reply) } : undefined),
  },
});

/** Question n is answered "answer n"; the first ten are settled by rule. */
const answers = new Map(
  Array.from({ length: 40 }, (_, number) => [
    `q${number}`,
    number < 10 ? `rule ${number}` : `answer ${number}`,
  ]),
);
const questionOf = ({ body }: fake.AskedRequest): number =>
  Number(/Question (\d+)/.exec(body.messages[0].content)![1]);
const gradeOf = (number: number): number => number % 11;
const grading = (request: fake.AskedRequest, model = "judge-1-0613"): fake.Behaviour =>
  fake.json({ ...fake.completion(String(gradeOf(questionOf(request)))), model });

const folder = temporaryFolder("llava-judge");
let files = 0;
const newPath = (): string => join(folder, `${++files}.jsonl`);

const task = { benchmark: graded, load: { data: "" }, answers };

async function judge(
  url: string,
  path: string,
  {
    timeoutMs = 20_000,
    model = "judge-1",
    ...options
  }: Partial<JudgeOptions> & { timeoutMs?: number; model?: string } = {},
) {
  await using store = await AnswerStore.open(path);
  return await judgeAnswers({
    ...task,
    judge: chatAnswerer(new EndpointModel({ url, model, timeoutMs }), 8),
    store,
    retry: { firstDelayMs: 2, maxDelayMs: 10 },
    ...options,
  });
}

const scored = async (judged: Awaited<ReturnType<typeof judge>>): Promise<Omit<Result, "outcomes">> =>
  (
    await score({
      ...task,
      answers: { texts: answers, failures: new Map(), where: () => "answers" },
      model: "m",
      verdicts: judged,
      judge: judged.judge,
      judging: judged.judging,
      leaveOutFailures: true,
      resamples: 0,
    })
  ).result;

/** The mean of what the rules and the judge give to these questions. */
const meanOf = (numbers: readonly number[]): number =>
  (100 * numbers.reduce((sum, number) => sum + (number < 10 ? 1 : gradeOf(number) / 10), 0)) / numbers.length;
const all = Array.from({ length: 40 }, (_, number) => number);

describe("a judge", () => {
  test("is asked about what no rule settles; result and replies say who it was, how it was asked", async () => {
    await using server = await fake.startEndpoint((_, request) => grading(request));
    const judged = await judge(server.url, newPath());
    assert.equal(server.asked.length, 30);
    const { body } = server.asked.find((request) => questionOf(request) === 12)!;
    assert.deepEqual(
      [body.model, body["temperature"], body["max_tokens"], body.messages],
      ["judge-1", 0.2, 8, [{ role: "user", content: "Grade.\nQuestion 12?\nanswer 12" }]],
    );
    const result = await scored(judged);
    assert.equal(result.judge, "judge-1-0613");
    const { prompts, ...judging } = result.judging!;
    assert.match(prompts, /^[0-9a-f]{64}$/);
    assert.deepEqual(judging, {
      requested: "judge-1",
      sampling: { temperature: 0.2, maxTokens: 8 },
      example: "Grade.\nQuestion 0?\n<answer>",
      read: [30],
      unreadable: 0,
      failed: 0,
    });
    assert.deepEqual([result.counts.judgeable, result.counts.judged, result.counts.scored], [30, 30, 40]);
    assert.equal(result.scores[0]!.value, meanOf(all));
    assert.deepEqual(result.replies, { read: 30, differing: [] });
  });

  test("that is slow, refuses, cuts connections and answers garbage loses nothing and settles all", async () => {
    const faults: fake.Behaviour[] = [
      fake.status(429, { "retry-after-ms": "3" }),
      fake.status(500),
      fake.cutHeaders,
      fake.cutBody,
      fake.silence,
      fake.stallBody,
      fake.body("<html>busy</html>"),
      fake.body(""),
      fake.json({ error: { message: "overloaded" } }),
      fake.answer("I would rather not say."),
      fake.answer(""),
    ];
    const path = newPath();
    // Each question meets two faults of its own before it is answered.
    const met = new Map<number, number>();
    await using server = await fake.startEndpoint((_, request) => {
      const number = questionOf(request);
      const times = met.get(number) ?? 0;
      met.set(number, times + 1);
      return times < 2 ? faults[(number * 2 + times) % faults.length]! : grading(request);
    });
    const judged = await judge(server.url, path, { timeoutMs: 400 });
    const result = await scored(judged);
    assert.deepEqual([judged.byId.size, judged.judging.failed, judged.judging.unreadable], [30, 0, 0]);
    assert.equal(result.scores[0]!.value, meanOf(all));
    // Replies that could not be read are kept too.
    const stored = readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).text);
    assert.ok(stored.filter((text) => text === "I would rather not say.").length > 3);
    const before = server.asked.length;
    assert.deepEqual((await judge(server.url, path)).rows, judged.rows);
    assert.equal(server.asked.length, before);
  });

  test("that never settles some answers leaves them out, says which and why, and they are asked again", async () => {
    const path = newPath();
    const stubborn = (request: fake.AskedRequest): fake.Behaviour | undefined =>
      ({ 11: fake.answer("No grade."), 12: fake.status(500), 13: fake.status(400) })[questionOf(request)];
    let isStubborn = true;
    await using server = await fake.startEndpoint(
      (_, request) => (isStubborn ? stubborn(request) : undefined) ?? grading(request),
    );
    const judged = await judge(server.url, path, { retry: { firstDelayMs: 1, attempts: 3 } });
    const open = judged.rows.filter(({ verdict }) => verdict === undefined);
    assert.deepEqual(
      open.map(({ id, reply, error }) => [id, reply, error?.replace(/^\S+ /, "")]),
      [
        ["q11", "No grade.", undefined],
        ["q12", undefined, "answered 500: refused"],
        ["q13", undefined, "answered 400: refused"],
      ],
    );
    assert.deepEqual(
      [judged.judging.read, judged.judging.unreadable, judged.judging.failed],
      [[27, 0, 0], 1, 2],
    );
    const result = await scored(judged);
    assert.deepEqual(result.unjudged, ["q11", "q12", "q13"]);
    assert.deepEqual([result.counts.judged, result.counts.scored], [27, 37]);
    const covered = all.filter((number) => number < 11 || number > 13);
    assert.equal(result.scores[0]!.value, meanOf(covered));
    isStubborn = false;
    const before = server.asked.length;
    const later = await judge(server.url, path);
    // What it said is not asked again; what it failed to say is.
    assert.equal(server.asked.length - before, 2);
    assert.deepEqual([later.byId.size, later.judging.unreadable], [29, 1]);
  });

  test("that has gone ends the run, and its replies so far are kept", async () => {
    const path = newPath();
    await using server = await fake.startEndpoint((index, request) =>
      index < 5 ? grading(request) : fake.status(503),
    );
    const gone = chatAnswerer(new EndpointModel({ url: server.url, model: "judge-1" }), 1);
    await assert.rejects(judge(server.url, path, { judge: gone, retry: { firstDelayMs: 1, attempts: 1 } }), {
      code: "network",
      message: /gave up after 16 failures in a row: .* answered 503/,
    });
    await using store = await AnswerStore.open(path);
    assert.equal([...store.answers()].length, 5);
  });

  test("is not asked about answers that came with a verdict, which counts, also where a rule could settle", async () => {
    await using server = await fake.startEndpoint((_, request) => grading(request));
    const given = new Map([
      ["q3", { grade: 0 }],
      ["q12", { grade: 10 }],
    ]);
    const judged = await judge(server.url, newPath(), { given });
    assert.ok(server.asked.every((request) => questionOf(request) !== 12));
    assert.deepEqual([server.asked.length, judged.rows.length, judged.byId.size], [29, 29, 31]);
    const { scores, counts } = await scored(judged);
    assert.deepEqual([counts.judgeable, counts.judged], [31, 31]);
    const expected = meanOf(all) + ((100 * (10 - gradeOf(12))) / 10 - 100) / 40;
    assert.ok(Math.abs(scores[0]!.value - expected) < 1e-9, `${scores[0]!.value}, not ${expected}`);
  });

  test("that changes on the way is noticed", async () => {
    await using server = await fake.startEndpoint((index, request) =>
      grading(request, index < 7 ? "a" : "b"),
    );
    await assert.rejects(judge(server.url, newPath()), {
      code: "data",
      message: /several judges: [ab] \(\d+\), [ab] \(\d+\)/,
    });
  });

  test("is not needed by benchmarks that have none", async () => {
    const { judge: _, ...without } = graded;
    await assert.rejects(judge("http://localhost:1", newPath(), { benchmark: without }), { code: "usage" });
  });
});

describe("stored replies", () => {
  test("give the same verdicts again, offline", async () => {
    const path = newPath();
    await using server = await fake.startEndpoint((index, request) =>
      index === 4 ? fake.answer("?") : grading(request),
    );
    const judged = await judge(server.url, path);
    await server[Symbol.asyncDispose]();
    const bytes = readFileSync(path);
    const replayed = await judgeAnswers({ ...task, ...(await openReplay(path)) });
    assert.deepEqual(replayed, judged);
    assert.deepEqual(readFileSync(path), bytes);
  });

  test("that do not fit the answers are not used", async () => {
    const path = newPath();
    await using server = await fake.startEndpoint((_, request) => grading(request));
    await judge(server.url, path);
    const changed = new Map(answers).set("q20", "another answer");
    const replayed = await judgeAnswers({ ...task, answers: changed, ...(await openReplay(path)) });
    const open = replayed.rows.filter(({ verdict }) => verdict === undefined);
    assert.deepEqual(
      open.map(({ id, error }) => [id, error]),
      [["q20", `${path}: holds no reply to this request`]],
    );
  });

  test("of two judges must be chosen from", async () => {
    const path = newPath();
    await using server = await fake.startEndpoint((_, request) => grading(request, request.body.model));
    for (const model of ["one", "two"]) await judge(server.url, path, { model });
    await assert.rejects(openReplay(path), { message: `${path}: holds replies of one, two` });
    await assert.rejects(openReplay(path, "three"), { code: "data" });
    const replayed = await judgeAnswers({ ...task, ...(await openReplay(path, "two")) });
    assert.deepEqual([replayed.judge, replayed.byId.size], ["two", 30]);
  });

  test("that are none are refused with file and line", async () => {
    const path = newPath();
    writeFileSync(path, '{"question_id": 1, "text": "8 7"}\n');
    await assert.rejects(openReplay(path), { code: "data", message: `${path}:1: not a stored answer` });
    writeFileSync(path, "");
    await assert.rejects(openReplay(path), { code: "data", message: `${path}: holds replies of no judge` });
  });
});

test("verdicts on questions that the split does not have are refused", async () => {
  const byId = new Map([
    ["q10", { grade: 1 }],
    ["other", { grade: 2 }],
  ]);
  const stray = score({
    ...task,
    answers: { texts: answers, failures: new Map(), where: () => "answers" },
    model: "m",
    verdicts: { byId },
  });
  await assert.rejects(stray, {
    message: 'there is a verdict on question "other", which graded (test) does not have',
  });
});

test("results of different judges, or of one that was asked otherwise, are not compared", async () => {
  await using server = await fake.startEndpoint((_, request) => grading(request, request.body.model));
  const resultBy = async (model: string, change: Partial<Benchmark["judge"]> = {}): Promise<Result> => {
    const changed = { ...graded, judge: { ...graded.judge!, ...change } };
    const judged = await judge(server.url, newPath(), { model, benchmark: changed });
    return { ...(await scored(judged)), outcomes: "" };
  };
  const [one, two] = [await resultBy("one"), await resultBy("two")];
  const otherwise = await resultBy("one", { prompt: () => [{ role: "user", content: "Question 7?" }] });
  const side = (result: Result) => ({ result, outcomes: [{ id: "q1", credit: 1 }] });
  const refused = async (a: Result, b: Result, message: RegExp) =>
    assert.rejects(compareResults(graded, side(a), side(b)), { code: "usage", message });
  await refused(one, two, /different judges: one and two/);
  await refused(one, otherwise, /different prompts of the judge/);
  await compareResults(graded, side(one), side(await resultBy("one")));
});
