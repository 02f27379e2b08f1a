import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { llava, llavaHere, startLlava } from "../../../../test/support/cli.ts";
import * as fake from "../../../../test/support/endpoint.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";

const folder = temporaryFolder("llava-eval-run");
const data = join(folder, "data", "questions");
mkdirSync(join(data, "images"), { recursive: true });

/** A picture that only its bytes tell from others; endpoints look no further. */
const png = Buffer.from("89504e470d0a1a0a00", "hex");
const count = 60;
const rows = Array.from({ length: count }, (_, number) => ({
  question_id: `photo-${number}`,
  image: "photo.png",
  text: `What is ${number}?`,
  answer: String(number % 7),
  category: number % 2 === 0 ? "even" : "odd",
}));
writeFileSync(join(data, "images", "photo.png"), png);
writeFileSync(join(data, "questions.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

const numberOf = ({ body }: fake.AskedRequest): number =>
  Number(/What is (\d+)/.exec(body.messages[0].content[1].text)![1]);
/** Right but for every fifth question. */
const answerTo = (request: fake.AskedRequest): string =>
  numberOf(request) % 5 === 0 ? "I do not know" : ` ${numberOf(request) % 7}.\n`;

const command = (url: string, output: string, ...more: string[]): string[] => [
  ...["eval", "run", "questions", "--endpoint", url, "--model", "m", "--data", join(folder, "data")],
  ...["--output", output, "--json", ...more],
];
const jsonLines = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const resultIn = (output: string) => {
  const { created: _, ...result } = JSON.parse(readFileSync(join(output, "questions.json"), "utf8"));
  return result;
};

describe("llava eval run", () => {
  const whole = join(folder, "whole");

  test("answers, writes LLaVA's answer file, scores, and says what made the result", async () => {
    await using server = await fake.startEndpoint((_, request) =>
      fake.json({ ...fake.completion(answerTo(request)), model: "m-2026" }),
    );
    const { status, stdout, stderr } = await llava(
      command(server.url, whole, "--price", "1000000/2000000", "--concurrency", "4"),
    );
    assert.equal(status, 0, stderr);
    assert.match(stderr, /questions: 60 answered now, 0 before, 0 failed; 720 tokens, cost 840.00/);
    assert.equal(server.asked.length, count);
    const answers = jsonLines(join(whole, "questions.answers.jsonl"));
    assert.equal(answers.length, count);
    const { answer_id, ...row } = answers[3];
    assert.match(answer_id, /^[0-9a-f]{22}$/);
    assert.deepEqual(row, {
      question_id: "photo-3",
      prompt: "<image>What is 3?\nAnswer the question using a single word or phrase.",
      text: "3.",
      model_id: "m",
      metadata: {},
    });
    const result = JSON.parse(stdout);
    assert.deepEqual(result.counts, {
      items: 60,
      answered: 60,
      failed: 0,
      missing: 0,
      unknown: 0,
      judgeable: 0,
      judged: 0,
      scored: 60,
      unparsed: 0,
    });
    assert.deepEqual([result.scores[0].name, result.scores[0].value], ["accuracy", 80]);
    assert.deepEqual(result.run, {
      identity: "",
      served: ["m-2026"],
      limit: null,
      usage: { promptTokens: 600, imageTokens: 0, completionTokens: 120 },
    });
    assert.equal(readdirSync(whole).length, 4);
    // Foreign tools score the file, and so do we.
    const again = await llava([
      ...["eval", "score", "questions", "--predictions", join(whole, "questions.answers.jsonl")],
      ...["--data", data, "--json"],
    ]);
    assert.deepEqual(JSON.parse(again.stdout).scores, result.scores);
    // So is the store of requests.
    const fromStore = await llava([
      ...["eval", "score", "questions", "--predictions", join(whole, "questions.requests.jsonl")],
      ...["--data", data, "--json"],
    ]);
    assert.deepEqual(JSON.parse(fromStore.stdout).scores, result.scores);
  });

  test("killed three times gives the same result, and no request is answered twice", async () => {
    const output = join(folder, "killed");
    const answered: number[] = [];
    await using server = await fake.startEndpoint((_, request) => async (response) => {
      await fake.json({ ...fake.completion(answerTo(request)), model: "m-2026" }, 30)(response, request);
      answered.push(numberOf(request));
    });
    const args = command(server.url, output, "--concurrency", "4");
    for (const until of [10, 25, 40]) {
      const { child, ended } = startLlava(args);
      while (answered.length < until) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill("SIGKILL");
      assert.equal((await ended).status, null);
    }
    const { status, stderr } = await llava(args);
    assert.equal(status, 0, stderr);
    assert.deepEqual(resultIn(output), resultIn(whole));
    const file = "questions.answers.jsonl";
    assert.equal(readFileSync(join(output, file), "utf8"), readFileSync(join(whole, file), "utf8"));
    const keys = jsonLines(join(output, "questions.requests.jsonl")).map(({ key }) => key);
    assert.equal(new Set(keys).size, count);
    assert.equal(keys.length, count);
    // At most the four requests that were under way at each kill were asked again.
    assert.ok(server.asked.length <= count + 3 * 4, `${server.asked.length}`);
  });

  test("stopped with Ctrl-C keeps its answers, lets go of the folder, and says how to go on", async () => {
    const output = join(folder, "stopped");
    await using server = await fake.startEndpoint((index, request) =>
      index < 12 ? fake.answer(answerTo(request)) : fake.silence,
    );
    const { child, ended } = startLlava(command(server.url, output, "--concurrency", "4"));
    while (server.asked.length < 16) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGINT");
    const { status, stderr } = await ended;
    assert.equal(status, 130);
    assert.match(stderr, /stopped; 12 new answers are kept\nThe same command goes on from there/);
    assert.deepEqual(readdirSync(output), ["questions.requests.jsonl"]);
    assert.equal(jsonLines(join(output, "questions.requests.jsonl")).length, 12);
  });

  test("in shards gives the same result, and the last command asks nothing", async () => {
    const output = join(folder, "shards");
    await using server = await fake.startEndpoint((_, request) =>
      fake.json({ ...fake.completion(answerTo(request)), model: "m-2026" }),
    );
    const parts = await Promise.all(
      [0, 1, 2].map((index) => llava(command(server.url, output, "--shard", `${index}/3`))),
    );
    for (const { status, stderr } of parts) assert.equal(status, 0, stderr);
    assert.equal(server.asked.length, count);
    const { status, stderr } = await llava(command(server.url, output));
    assert.equal(status, 0, stderr);
    assert.match(stderr, /0 answered now, 60 before/);
    assert.equal(server.asked.length, count);
    assert.deepEqual(resultIn(output), resultIn(whole));
  });

  test("that fails on some questions scores the others, says so, and ends with an error", async () => {
    const output = join(folder, "failing");
    await using server = await fake.startEndpoint((_, request) =>
      numberOf(request) % 20 === 7 ? fake.status(400, {}, "too long") : fake.answer(answerTo(request)),
    );
    const { status, stdout, stderr } = await llava(command(server.url, output));
    assert.equal(status, 1);
    assert.match(
      stderr,
      /questions: 3 questions got no answer, the first is "photo-7": .* answered 400: too long/,
    );
    const { counts, failures } = JSON.parse(stdout);
    assert.deepEqual([counts.items, counts.failed, counts.scored], [60, 3, 57]);
    assert.deepEqual(failures.map(({ id }: { id: string }) => id).sort(), [
      "photo-27",
      "photo-47",
      "photo-7",
    ]);
    const shown = await llava(command(server.url, output).filter((argument) => argument !== "--json"));
    assert.match(shown.stdout, /coverage 95\.0 %; 57 of 60 questions answered; 3 failed/);
  });

  test("asks anew when images, settings of the endpoint or the model change, not when folders do", async () => {
    const output = join(folder, "anew");
    await using server = await fake.startEndpoint((_, request) => fake.answer(answerTo(request)));
    const asks = async (...more: string[]): Promise<number> => {
      const before = server.asked.length;
      const { status, stderr } = await llava(command(server.url, output, "--limit", "5", ...more));
      assert.equal(status, 0, stderr);
      return server.asked.length - before;
    };
    assert.equal(await asks(), 5);
    const moved = join(folder, "moved");
    cpSync(join(folder, "data"), moved, { recursive: true });
    assert.equal(await asks("--data", moved), 0);
    assert.equal(await asks("--extra-body", '{"top_k": 1}'), 5);
    writeFileSync(join(moved, "questions", "images", "photo.png"), Buffer.concat([png, png]));
    assert.equal(await asks("--data", moved), 5);
    assert.equal(await asks("--model", "n"), 5);
    assert.equal(resultIn(output).counts.items, 5);
  });

  test("tells what it cannot run", async () => {
    const run = ["eval", "run"];
    const rest = ["--data", data, "--output", join(folder, "none")];
    const cases: [string[], RegExp][] = [
      [[...run, "poep", ...rest, "--model", "m"], /no benchmark "poep"\nDid you mean pope\? Known: .*vqav2/],
      [[...run, "pope", ...rest], /there is no --model/],
      [
        [...run, "pope", "nextqa-oe", ...rest, "--model", "m"],
        /nextqa-oe asks about videos, which no model here reads\nHave another program.*eval score nextqa-oe/,
      ],
      [
        [...run, "pope", ...rest, "--model", "m", "--split", "hard"],
        /pope has no split "hard"\nIts splits: all, adv/,
      ],
      [
        [...run, "pope", ...rest, "--model", "m", "--endpoint", "localhost"],
        /not the address of an endpoint/,
      ],
      [[...run, "pope", ...rest, "--model", "m", "--shard", "4/4"], /"4\/4" is not a shard/],
      [[...run, "pope", ...rest, "--model", "m", "--price", "1"], /Expected two or three numbers/],
      [
        [...run, "pope", ...rest, "--model", "m", "--endpoint", "http://127.0.0.1:9"],
        /holds none of coco_pope_adversarial\.json/,
      ],
    ];
    for (const [args, message] of cases) {
      const { status, stderr } = await llavaHere(args);
      assert.notEqual(status, 0);
      assert.match(stderr, message);
    }
  });
});
