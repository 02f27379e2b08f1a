// llava data recaption and status: npm test -- test/cli/recaption.test.ts
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { llava, type Outcome, startLlava } from "../support/cli.ts";
import { type AskedRequest, answer, startEndpoint, status, type TestEndpoint } from "../support/endpoint.ts";
import { startBatches } from "../support/fake-batches.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder("llava-recaption");
const images = join(folder, "photos");
mkdirSync(join(images, "more"), { recursive: true });
const names = Array.from(
  { length: 40 },
  (_, number) => `${number % 2 ? "more/" : ""}${100 + number}.png`,
).sort();
// Each of its own bytes: what follows a PNG's end is not looked at.
for (const [number, name] of names.entries()) {
  copyFileSync(join(import.meta.dirname, "../fixtures/llava/images/wide.png"), join(images, name));
  writeFileSync(join(images, name), String(number), { flag: "a" });
}

let asked = 0;
const startModel = (
  latencyMs = 0,
  behave: (request: AskedRequest) => ReturnType<typeof answer> | undefined = () => undefined,
): Promise<TestEndpoint> =>
  startEndpoint(
    (_, request) => behave(request) ?? answer(`A dog runs on beach ${request.body["seed"]}.`, latencyMs),
  );

const command = (model: TestEndpoint, out: string, ...more: string[]): string[] => [
  ...["-q", "data", "recaption", images, "--endpoint", model.url, "--model", "m", "--out", out],
  ...["--attempts", "2", "--concurrency", "2", ...more],
];
const newRows = (): string => {
  const run = join(folder, `run${++asked}`);
  mkdirSync(run);
  return join(run, "rows.jsonl");
};
function ok(outcome: Outcome): Outcome {
  assert.equal(outcome.status, 0, outcome.stderr);
  return outcome;
}
interface Row {
  readonly id: string;
  readonly image?: string;
  readonly video?: string;
  readonly conversations: { readonly value: string }[];
}
const rowsOf = <T = Row>(path: string): T[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
const textOf = ({ body }: AskedRequest): string =>
  body.messages[0].content.find(({ type }: { type: string }) => type === "text").text;

describe("llava data recaption", () => {
  test("captions a folder in order, once, and again only what changed", async () => {
    await using model = await startModel();
    const out = newRows();
    ok(await llava(command(model, out)));
    const first = readFileSync(out);
    assert.deepEqual(
      rowsOf(out).map(({ image }) => image),
      names,
    );
    assert.equal(model.asked.length, names.length);
    ok(await llava(["-q", "data", "check", out, "--images", images]));
    ok(await llava(command(model, out, "--instruction", "What is here?")));
    assert.ok(rowsOf(out).every(({ conversations }) => conversations[0]!.value === "<image>\nWhat is here?"));
    ok(await llava(command(model, out)));
    assert.deepEqual(readFileSync(out), first);
    assert.equal(model.asked.length, names.length);
    writeFileSync(join(images, names[3]!), "x", { flag: "a" });
    utimesSync(join(images, names[3]!), 1, 1);
    ok(await llava(command(model, out)));
    assert.equal(model.asked.length, names.length, "a plan that is there is trusted");
    ok(await llava(command(model, out, "--recheck")));
    assert.equal(model.asked.length, names.length + 1);
    const { stdout } = ok(await llava(["-q", "data", "status", out.replace(".jsonl", ".run"), "--json"]));
    const { items, total, ended, workers } = JSON.parse(stdout);
    assert.deepEqual(
      [items, total, ended, workers],
      [{ done: names.length + 1 }, names.length + 1, names.length + 1, 0],
    );
  });

  test("two processes, one killed and one stopped for a while, ask nothing that is stored", async () => {
    const undisturbed = newRows();
    {
      await using model = await startModel();
      ok(await llava(command(model, undisturbed)));
    }
    await using model = await startModel(150);
    const out = newRows();
    const [killed, stopped] = [1, 2].map(() => startLlava(command(model, out, "--concurrency", "1")));
    while (model.asked.length < 8) await wait(5);
    killed!.child.kill("SIGKILL");
    stopped!.child.kill("SIGSTOP");
    await killed!.ended;
    const before = await llava(["-q", "data", "status", out.replace(".jsonl", ".run"), "--json"]);
    const { ended, total, workers } = JSON.parse(ok(before).stdout);
    assert.equal(total, names.length);
    assert.ok(ended > 0 && ended < total && workers >= 1);
    stopped!.child.kill("SIGCONT");
    ok(await stopped!.ended);
    assert.deepEqual(readFileSync(out), readFileSync(undisturbed));
    // Each process has two requests under way at most, one of them on the wire.
    assert.ok(model.asked.length <= names.length + 4, `${model.asked.length}`);
  });

  test("watches a run from another process until all is done", async () => {
    await using model = await startModel(100);
    const out = newRows();
    const { ended } = startLlava(command(model, out, "--price", "1/1", "--budget", "50"));
    const run = out.replace(".jsonl", ".run");
    while (!existsSync(join(run, "ledger.sqlite")) || model.asked.length === 0) await wait(20);
    const { stdout } = ok(
      await llava(["-q", "data", "status", run, "--watch", "--interval", "0.3", "--json"]),
    );
    ok(await ended);
    const looks = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(looks.at(-1).ended, names.length);
    assert.equal(looks[0].budget, 50);
    assert.ok(
      looks.every(
        ({ items, total }) => Object.values<number>(items).reduce((sum, count) => sum + count, 0) === total,
      ),
    );
    const missing = await llava(["-q", "data", "status", folder]);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /ledger\.sqlite: is not there/);
  });

  test("gives every item one class, and stops where all get one text", async () => {
    const behaviour = ["", "I'm sorry, I cannot see it.", "A dog <image> runs."];
    await using model = await startModel(0, ({ body }) => {
      const drawn = Number(body["seed"]) % 5;
      return drawn < 3 ? answer(behaviour[drawn]!) : drawn === 3 ? status(400) : undefined;
    });
    const out = newRows();
    const { classes, items, rows } = JSON.parse(ok(await llava(command(model, out, "--json"))).stdout);
    assert.equal(items, names.length);
    assert.equal(
      Object.values<number>(classes).reduce((sum, count) => sum + count, 0),
      names.length,
    );
    assert.deepEqual(
      new Set(Object.keys(classes)),
      new Set(["empty", "refused", "leak-markup", "failed", "ok"]),
    );
    assert.equal(rowsOf(out).length, rows);
    const outcomes = rowsOf<{ class: string }>(out.replace("rows.jsonl", "rows.run/outcomes.jsonl"));
    assert.equal(outcomes.filter((line) => line.class === "ok").length, rows);
    await using broken = await startModel(0, () => answer("Hello! I am here for you."));
    const { status: code, stderr } = await llava(command(broken, newRows()));
    assert.equal(code, 1);
    assert.match(stderr, /one and the same reply: Hello!/);
  });

  test("tells what all will take, of a few that it asks about and keeps, and takes the first so many", async () => {
    await using model = await startModel();
    const out = newRows();
    const price = ["--price", "1000/1000", "--json"];
    const estimate = async (...more: string[]) =>
      JSON.parse(ok(await llava(command(model, out, ...price, ...more))).stdout);
    const { kinds } = await estimate("--estimate");
    assert.deepEqual([kinds[0].requests, kinds[0].pilot, model.asked.length], [names.length, 0, 0]);
    const { kinds: seen, cost } = await estimate("--estimate", "5");
    assert.deepEqual([seen[0].pilot, model.asked.length], [5, 5]);
    const all = await estimate();
    assert.equal(model.asked.length, names.length);
    assert.ok(Math.abs(cost.mean / all.cost - 1) < 1e-9, `${cost.mean} and ${all.cost}`);
    const { items } = await estimate("--limit", "7");
    assert.deepEqual([items, model.asked.length], [7, names.length]);
    assert.deepEqual(
      rowsOf(out).map(({ image }) => image),
      names.slice(0, 7),
    );
  });

  test("asks by batches of the endpoint's", async () => {
    await using server = await startBatches((order) => (order === 0 ? "expired" : "complete"));
    const out = newRows();
    const words = ["-q", "data", "recaption", images, "--endpoint", server.url, "--model", "m", "--out", out];
    ok(await llava([...words, "--batch-api", "--batch-poll", "0.01"]));
    assert.equal(rowsOf(out).length, names.length);
    assert.deepEqual(
      server.batches.map(({ length }) => length),
      [names.length, names.length / 2],
    );
    const refused = await llava([...words, "--batch-api", "--engine", "postgres://llava@127.0.0.1:1/none"]);
    assert.match(refused.stderr, /--batch-api takes a ledger in a file/);
  });

  test("says what a ledger on a server takes that is not there", async () => {
    await using model = await startModel();
    const server = ["--engine", "postgres://llava@127.0.0.1:1/none"];
    const { status: code, stderr } = await llava(command(model, newRows(), ...server));
    assert.equal(code, 1);
    assert.match(stderr, /npm install pg|127\.0\.0\.1:1\/none: cannot be used as a ledger/);
    assert.equal(model.asked.length, 0);
  });

  test("shows parts of a video as frames, and tells what a caption was", async () => {
    // An animated GIF needs no decoder of videos.
    const clips = join(folder, "clips");
    mkdirSync(clips);
    const { default: sharp } = await import("sharp");
    const frame = (red: number) =>
      sharp({ create: { width: 16, height: 16, channels: 3, background: { r: red, g: 0, b: 0 } } })
        .png()
        .toBuffer();
    const frames = await Promise.all([0, 60, 120, 180, 240, 255].map(frame));
    await sharp(frames, { join: { animated: true } })
      .gif({ delay: frames.map(() => 500) })
      .toFile(join(clips, "a.gif"));
    const list = join(folder, "clips.jsonl");
    writeFileSync(
      list,
      `${JSON.stringify({
        video: "a.gif",
        segments: [
          [0, 1],
          [1, 3],
        ],
        caption: "It gets red.",
      })}\n`,
    );
    await using model = await startModel();
    const out = newRows();
    const words = [
      "-q",
      "data",
      "recaption",
      list,
      "--images",
      clips,
      "--endpoint",
      model.url,
      "--model",
      "m",
      "--out",
      out,
    ];
    ok(await llava([...words, "--frames", "3", "--prompt", "Once: {caption} Now?"]));
    const shown = model.asked.map(({ body }) => body.messages[0].content.length - 1).sort();
    assert.deepEqual(shown, [2, 3]);
    assert.equal(textOf(model.asked[0]!), "Once: It gets red. Now?");
    assert.deepEqual(
      rowsOf<Row & { metadata: object }>(out).map(({ id, video, metadata }) => [id, video, metadata]),
      [
        ["a-0", "a.gif", { segment: [0, 1] }],
        ["a-1", "a.gif", { segment: [1, 3] }],
      ],
    );
  });
});
