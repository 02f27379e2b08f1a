import assert from "node:assert/strict";
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { EndpointError } from "../client/index.ts";
import { LlavaError } from "../errors.ts";
import type { GenerationRequest } from "../protocol/index.ts";
import {
  type Answerer,
  AnswerStore,
  chatAnswerer,
  inShard,
  mergeStores,
  parseShard,
  type Question,
  type Reply,
  RequestKeys,
  type RunOptions,
  runQuestions,
} from "./index.ts";

const folder = temporaryFolder("llava-runner");
let files = 0;
const newPath = (): string => join(folder, `${++files}.jsonl`);

const questions = (count: number): Question[] =>
  Array.from({ length: count }, (_, number) => ({
    id: `q${number}`,
    messages: [{ role: "user", content: `What is ${number}?` }],
    sampling: { maxTokens: 4, temperature: 0 },
  }));

const usage = { promptTokens: 3, imageTokens: 0, completionTokens: 2 };
const textOf = ({ messages }: GenerationRequest): string => `${messages[0]!.content}!`;
const reply = (text: string): Reply => ({ text, reason: "stop", usage });

/** Answers with the question and an exclamation mark, after whatever `before` does. */
function answerer(
  before: (request: GenerationRequest, call: number) => Reply | undefined | Promise<Reply | undefined> = () =>
    undefined,
  { batchSize = 1, concurrency = 4, id = "m", identity = "" } = {},
): Answerer & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    id,
    identity,
    batchSize,
    concurrency,
    answer: (requests) =>
      Promise.all(
        requests.map(async (request) => {
          const call = asked.push(textOf(request));
          return (await before(request, call)) ?? reply(textOf(request));
        }),
      ),
  };
}

async function run(path: string, options: Partial<RunOptions> & Pick<RunOptions, "answerer">) {
  await using store = await AnswerStore.open(path);
  return await runQuestions({ questions: questions(20), store, ...options });
}

const linesOf = (path: string): string[] => readFileSync(path, "utf8").trimEnd().split("\n");
const quick = { firstDelayMs: 1, maxDelayMs: 4 };
const busy = (retryAfterMs?: number): EndpointError =>
  new EndpointError("answered 429", { status: 429, retryable: true, retryAfterMs });

describe("a run", () => {
  test("asks every question once, and nothing when it is run again", async () => {
    const path = newPath();
    const model = answerer();
    const first = await run(path, { answerer: model });
    assert.deepEqual([first.asked, first.found, first.failed], [20, 0, 0]);
    const again = await run(path, { answerer: model });
    assert.deepEqual([again.asked, again.found, model.asked.length], [0, 20, 20]);
    assert.deepEqual(again.answers, first.answers);
    assert.deepEqual(again.usage, { promptTokens: 60, imageTokens: 0, completionTokens: 40 });
    assert.equal(again.answers.get("q7")!.text, "What is 7?!");
  });

  test("that was cut at any byte goes on to the same answers, in the same batches", async () => {
    const path = newPath();
    const whole = await run(path, { answerer: answerer(undefined, { batchSize: 3, concurrency: 1 }) });
    const bytes = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length }), async (length) => {
        const cut = newPath();
        writeFileSync(cut, bytes.subarray(0, length));
        const batches: number[] = [];
        const model = answerer(undefined, { batchSize: 3, concurrency: 1 });
        const counting = {
          ...model,
          answer(requests: readonly GenerationRequest[], signal: AbortSignal) {
            batches.push(requests.length);
            return model.answer(requests, signal);
          },
        };
        const resumed = await run(cut, { answerer: counting });
        assert.deepEqual(resumed.answers, whole.answers);
        assert.equal(resumed.found + resumed.asked, 20);
        assert.equal(model.asked.length, resumed.asked);
        // Only whole batches are asked: none of its questions is answered in other company.
        assert.ok(batches.every((size, index) => size === 3 || (size === 2 && index === batches.length - 1)));
        assert.deepEqual(readFileSync(cut), bytes);
      }),
      { numRuns: 60 },
    );
  });

  test("keeps as many requests under way as it may, and no more", async () => {
    let running = 0;
    let most = 0;
    const model = answerer(
      async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        return undefined;
      },
      { concurrency: 5 },
    );
    await run(newPath(), { answerer: model });
    assert.equal(most, 5);
  });

  test("refuses an id that comes twice", async () => {
    const twice = [...questions(3), ...questions(1)];
    await assert.rejects(
      run(newPath(), { answerer: answerer(), questions: twice }),
      /question q0 comes twice/,
    );
  });

  test("stops when it is told to, keeps what it has, and goes on", async () => {
    const path = newPath();
    const controller = new AbortController();
    const model = answerer((_, call) => void (call === 9 && controller.abort()), { concurrency: 2 });
    const stopped = run(path, { answerer: model, signal: controller.signal });
    await assert.rejects(stopped, { code: "aborted", message: /stopped; \d+ new answers are kept/ });
    const kept = linesOf(path).length;
    const rest = await run(path, { answerer: answerer() });
    assert.deepEqual([rest.found, rest.asked], [kept, 20 - kept]);
  });
});

describe("a failure", () => {
  test("is tried again, later each time and not before the endpoint wishes", async () => {
    const times: number[] = [];
    const model = answerer((request) => {
      if (textOf(request) !== "What is 3?!") return undefined;
      times.push(performance.now());
      return times.length < 4 ? busy(times.length === 1 ? 60 : undefined) : undefined;
    });
    const report = await run(newPath(), { answerer: model, retry: { firstDelayMs: 8 } });
    assert.deepEqual([report.asked, report.failed, times.length], [20, 0, 4]);
    const [wished, second, third] = times.slice(1).map((time, index) => time - times[index]!);
    assert.ok(wished! >= 59, `${wished}`);
    // Half of the delay is drawn: from 8 to 16 before the third attempt, 16 to 32 before the fourth.
    assert.ok(second! >= 7 && third! >= 15, `${second} ${third}`);
  });

  test("that stays is listed with its reason, and asked again by the next run", async () => {
    const path = newPath();
    const bad = answerer((request) =>
      textOf(request) === "What is 3?!"
        ? busy()
        : textOf(request) === "What is 5?!"
          ? new LlavaError("image", "a.jpg: damaged")
          : undefined,
    );
    const report = await run(path, { answerer: bad, retry: { ...quick, attempts: 3 } });
    assert.deepEqual([report.asked, report.failed, report.answers.size], [18, 2, 18]);
    const failures = report.failures.map(({ id, error, status, attempts }) => [id, error, status, attempts]);
    assert.deepEqual(failures.sort(), [
      ["q3", "answered 429", 429, 3],
      ["q5", "a.jpg: damaged", undefined, 1],
    ]);
    const good = answerer();
    const next = await run(path, { answerer: good });
    assert.deepEqual([next.found, next.asked, next.failed], [18, 2, 0]);
    assert.deepEqual(good.asked.sort(), ["What is 3?!", "What is 5?!"]);
    await using store = await AnswerStore.open(path);
    assert.deepEqual([...store.failures()], []);
  });

  test("of a kind that no question survives ends the run; answers are kept", async () => {
    const path = newPath();
    const refused = new EndpointError("answered 401", { status: 401, retryable: false, fatal: true });
    const model = answerer((_, call) => (call > 6 ? refused : undefined), { concurrency: 1 });
    await assert.rejects(run(path, { answerer: model }), { message: "answered 401" });
    assert.deepEqual([model.asked.length, linesOf(path).length], [7, 6]);
  });

  test("of everything for long ends the run: the endpoint is gone", async () => {
    const model = answerer(() => busy(), { concurrency: 2 });
    const many = run(newPath(), {
      answerer: model,
      questions: questions(200),
      retry: { ...quick, attempts: 2 },
    });
    await assert.rejects(many, {
      code: "network",
      message: /gave up after 16 failures in a row: answered 429/,
    });
    assert.ok(model.asked.length < 40);
  });

  test("that is a mistake of ours is thrown", async () => {
    const broken = chatAnswerer(
      {
        id: "m",
        async *generate() {
          yield { type: "text-delta", text: "no finish" };
        },
      },
      1,
    );
    await assert.rejects(run(newPath(), { answerer: broken }), /without a finish/);
  });
});

describe("the name of a request", () => {
  const image = join(folder, "image.png");
  writeFileSync(image, "one");
  const question: Question = {
    id: "q",
    messages: [
      {
        role: "user",
        content: [
          { type: "image", image },
          { type: "text", text: "What?" },
        ],
      },
    ],
    sampling: { maxTokens: 4, temperature: 0 },
  };
  const key = (changes: Partial<Question> = {}, id = "m", identity = "") =>
    new RequestKeys({ id, identity }).of({ ...question, ...changes });

  test("changes with each part of it, and with nothing else", async () => {
    const base = await key();
    assert.equal(await key({ sampling: { temperature: 0, maxTokens: 4 }, round: 0 }), base);
    const copy = join(folder, "copy.png");
    writeFileSync(copy, "one");
    const [{ role }] = question.messages as [Question["messages"][0]];
    const asking = (content: Question["messages"][0]["content"]) => ({ messages: [{ role, content }] });
    const text = { type: "text" as const, text: "What?" };
    assert.equal(await key(asking([{ type: "image", image: copy }, text])), base);
    writeFileSync(copy, "two");
    const others = await Promise.all([
      key({ id: "r" }),
      key({ round: 1 }),
      key({ sampling: { maxTokens: 5, temperature: 0 } }),
      key({}, "n"),
      key({}, "m", "other weights"),
      key(asking([text])),
      key(asking([text, { type: "image", image }])),
      key(
        asking([
          { type: "image", image },
          { type: "text", text: "Who?" },
        ]),
      ),
      key(asking([{ type: "image", image: copy }, text])),
      key({ messages: [{ role: "system", content: "" }, ...question.messages] }),
    ]);
    assert.equal(new Set([base, ...others]).size, 11);
  });

  test("cannot be found without the image: the question fails, the others do not", async () => {
    const missing: Question = {
      ...question,
      messages: [{ role: "user", content: [{ type: "image", image: join(folder, "none.png") }] }],
    };
    const report = await run(newPath(), { answerer: answerer(), questions: [missing, ...questions(2)] });
    assert.deepEqual([report.asked, report.failed], [2, 1]);
    assert.match(report.failures[0]!.error, /none\.png: cannot be read/);
  });
});

describe("shards", () => {
  test("part the questions, and merge to the whole", async () => {
    const shards = [0, 1, 2].map((index) => parseShard(`${index}/3`));
    const parts = shards.map((shard) => questions(50).filter(({ id }) => inShard(id, shard)));
    assert.equal(parts.flat().length, 50);
    assert.ok(parts.every(({ length }) => length > 5));
    const paths = shards.map(newPath);
    for (const [index, path] of paths.entries())
      await run(path, { answerer: answerer(), questions: parts[index]! });
    const merged = newPath();
    assert.equal(await mergeStores(paths, merged), 50);
    assert.equal(await mergeStores(paths, merged), 0);
    const model = answerer();
    const report = await run(merged, { answerer: model, questions: questions(50) });
    assert.deepEqual([report.found, model.asked.length], [50, 0]);
  });

  test("that contradict each other are refused", async () => {
    const [one, two] = [newPath(), newPath()];
    await run(one, { answerer: answerer() });
    await run(two, { answerer: answerer(() => reply("else")) });
    await assert.rejects(
      mergeStores([one, two], newPath()),
      (error: LlavaError) =>
        error.message.startsWith(`${two}: answers question q`) &&
        error.message.endsWith(`differently from ${one}`),
    );
  });

  test("are written i/n", () => {
    for (const text of ["", "1", "3/3", "-1/2", "1/0", "a/b", "1/2/3"])
      assert.throws(() => parseShard(text), { code: "usage" });
  });
});

describe("a store", () => {
  test("that is damaged is refused with file and line", async () => {
    const path = newPath();
    await run(path, { answerer: answerer() });
    const lines = linesOf(path);
    for (const bad of [
      "not JSON",
      '{"id": "q", "key": "k"}',
      '{"question_id": 1, "text": "yes"}',
      "null",
      Buffer.from([0xff, 0xfe, 0x0a]),
    ]) {
      writeFileSync(path, `${lines.slice(0, 2).join("\n")}\n`);
      appendFileSync(path, bad);
      appendFileSync(path, `\n${lines[2]}\n`);
      await assert.rejects(AnswerStore.open(path), (error: LlavaError) => {
        assert.equal(error.code, "data");
        return error.message === `${path}:3: not a stored answer`;
      });
    }
  });

  test("loses only the line that was cut", async () => {
    const path = newPath();
    await run(path, { answerer: answerer() });
    const size = readFileSync(path).length;
    truncateSync(path, size - 1);
    await using store = await AnswerStore.open(path);
    assert.equal([...store.answers()].length, 19);
  });

  test("that cannot be written is refused", async () => {
    await assert.rejects(AnswerStore.open(folder), { code: "data", message: /cannot be opened: EISDIR/ });
  });
});
