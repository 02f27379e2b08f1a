import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { llava, llavaHere, startLlava } from "../../../../test/support/cli.ts";
import * as fake from "../../../../test/support/endpoint.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";

const folder = temporaryFolder("llava-eval-judge");
const count = 24;
const questions = Array.from({ length: count }, (_, number) => [
  `v1_${number}`,
  { imagename: "a.png", question: `What is ${number}?`, answer: "a <AND> b", capability: ["ocr"] },
]);
writeFileSync(join(folder, "mm-vet.json"), JSON.stringify(Object.fromEntries(questions)));
const predictions = join(folder, "predictions.json");
/** Not in the order of the questions. */
const answers = questions.map(([id], number) => [id, `answer ${number}`]).reverse();
writeFileSync(predictions, JSON.stringify(Object.fromEntries(answers)));

const numberOf = ({ body }: fake.AskedRequest): number =>
  Number(/answer (\d+) \|$/.exec(body.messages[0].content)![1]);
const grade = (request: fake.AskedRequest): string => `0.${numberOf(request) % 10}`;
const graded = (request: fake.AskedRequest): fake.Behaviour =>
  fake.json({ ...fake.completion(grade(request)), model: "judge-0613" });
const total = (100 / count) * questions.reduce((sum, _, number) => sum + (number % 10) / 10, 0);

const command = (output: string, ...more: string[]): string[] => [
  ...[
    "eval",
    "judge",
    "mm-vet",
    "-p",
    predictions,
    "--data",
    folder,
    "--output",
    output,
    "--model",
    "m",
    "--json",
  ],
  ...more,
];
const asking = (url: string, output: string): string[] =>
  command(output, "--judge-endpoint", url, "--judge-model", "judge", "--concurrency", "4");
const resultIn = (output: string) => {
  const { created: _, ...result } = JSON.parse(readFileSync(join(output, "mm-vet.json"), "utf8"));
  return result;
};

describe("llava eval judge", () => {
  const output = join(folder, "whole");

  test("through refusals, cuts, silence, garbage and three kills judges each answer once, by its id", async () => {
    const faults = [
      fake.status(429),
      fake.cutBody,
      fake.silence,
      fake.body("busy"),
      fake.status(500),
      fake.answer("Hm."),
    ];
    const met = new Map<number, number>();
    const judged: number[] = [];
    await using server = await fake.startEndpoint((_, request) => async (response) => {
      const number = numberOf(request);
      const times = met.get(number) ?? 0;
      met.set(number, times + 1);
      const fault = times === 0 && number % 2 === 1 ? faults[(number >> 1) % faults.length] : undefined;
      await (fault ?? graded(request))(response, request);
      if (fault === undefined) judged.push(number);
    });
    const args = [...asking(server.url, output), "--timeout", "0.4"];
    for (const until of [4, 8, 12]) {
      const { child, ended } = startLlava(args);
      while (judged.length < until) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill("SIGKILL");
      await ended;
    }
    const { status, stdout, stderr } = await llava(args);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /24 verdicts of judge-0613, 0 replies not readable, 0 without a reply/);
    const result = JSON.parse(stdout);
    assert.equal(result.judge, "judge-0613");
    assert.ok(Math.abs(result.scores[0].value - total) < 1e-9);
    assert.deepEqual([result.counts.judged, result.counts.scored], [count, count]);
    const replies = readFileSync(join(output, "mm-vet.replies.jsonl"), "utf8").trimEnd().split("\n");
    const answered = replies.map((line) => JSON.parse(line)).filter(({ text }) => text !== undefined);
    assert.equal(new Set(answered.map(({ key }) => key)).size, answered.length);
  });

  test("replays the stored replies, offline, and scores its file of verdicts", async () => {
    const again = join(folder, "again");
    const replay = ["--replay", join(output, "mm-vet.replies.jsonl")];
    const { status, stderr } = await llava(command(again, ...replay));
    assert.equal(status, 0, stderr);
    assert.deepEqual(resultIn(again), resultIn(output));
    const verdicts = join(output, "mm-vet.verdicts.jsonl");
    const scored = await llava([
      ...["eval", "score", "mm-vet", "--predictions", predictions, "--data", folder],
      ...["--verdicts", verdicts, "--json"],
    ]);
    const result = JSON.parse(scored.stdout);
    assert.deepEqual([result.scores, result.judge], [resultIn(output).scores, "judge-0613"]);
    assert.deepEqual(result.replies, { read: count, differing: [] });
  });

  test("that gets no readable reply to some answers prints what its score covers, and ends with an error", async () => {
    await using server = await fake.startEndpoint((_, request) =>
      numberOf(request) < 6 ? fake.answer("I cannot say.") : graded(request),
    );
    const args = asking(server.url, join(folder, "partial")).filter((argument) => argument !== "--json");
    const { status, stdout, stderr } = await llava(args);
    assert.equal(status, 1);
    assert.match(stdout, /coverage 75\.0 %; 24 of 24 questions answered; 18 of 24 judged/);
    assert.match(
      stderr,
      /6 answers got no verdict, the first is that to "v1_0": the reply cannot be read: I cannot say/,
    );
    assert.equal(server.asked.length, 18 + 3 * 6);
  });

  test("tells what it lacks", async () => {
    const none = join(folder, "none");
    const garbage = join(folder, "garbage.jsonl");
    writeFileSync(garbage, '{"id": 1}\n');
    const cases: [string[], RegExp][] = [
      [command(none), /no judge to ask\nGive --judge-endpoint/],
      [command(none, "--replay", garbage), /garbage\.jsonl:1: not a stored answer/],
      [command(none, "--replay", join(folder, "no.jsonl")), /no\.jsonl: cannot be read/],
      [command(none, "--replay", predictions), /predictions\.json: holds replies of no judge/],
      [
        ["eval", "judge", "gqa", ...command(none).slice(3), "--judge-endpoint", "http://127.0.0.1:9"],
        /no judge to ask/,
      ],
    ];
    for (const [args, message] of cases) {
      const { status, stderr } = await llavaHere(args);
      assert.notEqual(status, 0);
      assert.match(stderr, message);
    }
  });
});
