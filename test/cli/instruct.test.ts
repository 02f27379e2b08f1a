import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { mulberry32 } from "../../src/random/index.ts";
import { llava, type Outcome, startLlava } from "../support/cli.ts";
import { writeCoco } from "../support/coco-files.ts";
import { startBatches } from "../support/fake-batches.ts";
import { type FakeTeacher, faultsAt, lasting, passing, startTeacher } from "../support/fake-teacher.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder("llava-instruct");
const golden = fileURLToPath(new URL("../golden/instruct", import.meta.url));
const images = 24;
const coco = writeCoco(folder, images);
const price = { input: 1, output: 4 };

let runs = 0;
const newRows = (): string => join(folder, `run${++runs}`, "rows.jsonl");

interface Line {
  readonly id: string;
  readonly class: string;
  readonly key: string;
  readonly unsupported?: readonly string[];
}

const linesOf = <T>(path: string): T[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
const provenanceOf = (rows: string): Line[] => linesOf(rows.replace(/\.jsonl$/, ".run/provenance.jsonl"));

const command = (teacher: FakeTeacher | undefined, rows: string, ...more: string[]): string[] => [
  "-q",
  ...["data", "instruct", "--captions", coco.captions, "--boxes", coco.boxes, "--out", rows],
  ...(teacher
    ? ["--endpoint", teacher.url, "--model", "t", "--price", `${price.input}/${price.output}`]
    : []),
  ...["--structured", "never", "--concurrency", "4", ...more],
];

async function instruct(teacher: FakeTeacher | undefined, rows: string, ...more: string[]): Promise<Outcome> {
  mkdirSync(join(rows, ".."), { recursive: true });
  return await llava(command(teacher, rows, ...more));
}

function ok(outcome: Outcome): Outcome {
  assert.equal(outcome.status, 0, outcome.stderr);
  return outcome;
}

describe("llava data instruct", () => {
  test("makes rows of every image and kind, asks nothing again, and only what changed", async () => {
    await using teacher = await startTeacher({ price });
    const rows = newRows();
    ok(await instruct(teacher, rows));
    assert.equal(linesOf(rows).length, 3 * images);
    assert.equal(teacher.requests.length, 3 * images);
    const first = readFileSync(rows);
    ok(await llava(["-q", "data", "check", rows]));
    ok(await instruct(teacher, rows));
    assert.equal(teacher.requests.length, 3 * images);
    assert.deepEqual(readFileSync(rows), first);
    // Without a teacher, what is there is read; another rule of reading asks nothing.
    ok(await instruct(undefined, rows, "--no-negatives", "--model", "t"));
    const plain = linesOf<{ conversations: { value: string }[] }>(rows);
    assert.ok(plain.every(({ conversations }) => !/there is no/.test(conversations.at(-1)!.value)));
    const { annotations, ...rest } = JSON.parse(readFileSync(coco.captions, "utf8"));
    annotations[3].caption = "Something else.";
    const changed = join(folder, "changed.json");
    writeFileSync(changed, JSON.stringify({ ...rest, annotations }));
    ok(await llava(command(teacher, rows).map((word) => (word === coco.captions ? changed : word))));
    assert.equal(teacher.requests.length, 3 * images + 3);
    ok(await instruct(teacher, rows, "--temperature", "0.2", "--kinds", "detail"));
    assert.equal(teacher.requests.length, 4 * images + 3);
  });

  test("gives each reply a class when every fault comes, and uses all that are good", async () => {
    await using teacher = await startTeacher({ price, fault: faultsAt(0.4, [...passing, ...lasting]) });
    const rows = newRows();
    ok(await instruct(teacher, rows));
    const classes = provenanceOf(rows);
    assert.equal(classes.length, 3 * images);
    const good = teacher.requests.filter(
      ({ fault, answered }) => answered && (fault === undefined || fault === "no-usage"),
    ).length;
    // Reasoning that names more than there is, is kept and marked.
    const kept = classes.filter(({ class: name, unsupported }) => name === "ok" && !unsupported?.length);
    assert.equal(kept.length, good);
    const bad = /sorry|can't help|description provided|\[0\.12|<\||message is empty|on and on it|zebra/;
    // What a question of presence asks about may be a zebra, which is not there.
    for (const { id, conversations } of linesOf<{ id: string; conversations: { value: string }[] }>(rows)) {
      const text = conversations.map(({ value }) => value).join("\n");
      if (!id.endsWith("-reasoning")) assert.doesNotMatch(text.replace(/.*\b(a|no) zebra.*/g, ""), bad);
    }
    assert.ok(new Set(classes.map(({ class: name }) => name)).size > 8);
    ok(await llava(["-q", "data", "check", rows]));
  });

  test("killed again and again, ends with the same bytes and asks hardly anything twice", async () => {
    const faults = faultsAt(0.2, passing);
    const undisturbed = newRows();
    {
      await using teacher = await startTeacher({ price, fault: faults });
      ok(await instruct(teacher, undisturbed));
    }
    await using teacher = await startTeacher({ price, fault: faults, latencyMs: 30 });
    const rows = newRows();
    mkdirSync(join(rows, ".."));
    const random = mulberry32(5);
    let kills = 0;
    for (; kills < 5; kills++) {
      const { child, ended } = startLlava(command(teacher, rows));
      const before = teacher.requests.length;
      while (teacher.requests.length === before && child.exitCode === null) await wait(5);
      await wait(300 * random());
      child.kill("SIGKILL");
      await ended;
    }
    ok(await instruct(teacher, rows));
    assert.deepEqual(readFileSync(rows), readFileSync(undisturbed));
    const answered = new Map<string, number>();
    for (const { key, answered: isSent } of teacher.requests)
      if (isSent && !faults(key, 1)) answered.set(key, (answered.get(key) ?? 0) + 1);
    const twice = [...answered.values()].reduce((sum, times) => sum + times - 1, 0);
    assert.ok(twice <= 4 * kills + 3 * images * 0.2, `${twice} answers were asked for again`);
  });

  test("never goes beyond a budget, in several processes, some of them killed", async () => {
    await using teacher = await startTeacher({ price, latencyMs: 10, fault: faultsAt(0.2, passing) });
    const whole = newRows();
    ok(await instruct(teacher, whole));
    const need = teacher.billed;
    const budget = 0.5 * need;
    const rows = newRows();
    mkdirSync(join(rows, ".."));
    await using metered = await startTeacher({ price, latencyMs: 10, fault: faultsAt(0.2, passing) });
    const started = [1, 2, 3].map(() => startLlava(command(metered, rows, "--budget", String(budget))));
    // What is asked for at most may use the budget up before that.
    const isAsking = () => started.some(({ child }) => child.exitCode === null);
    while (metered.requests.length < 20 && isAsking()) await wait(5);
    started[0]!.child.kill("SIGKILL");
    const [, second, third] = await Promise.all(started.map(({ ended }) => ended));
    for (const { status, stderr } of [second!, third!]) {
      assert.equal(status, 3, stderr);
      assert.match(stderr, /the budget of .* is used up/);
      assert.match(stderr, /at least/);
    }
    assert.ok(metered.billed <= budget, `${metered.billed} of ${budget}`);
    assert.ok(metered.billed > 0.2 * budget);
    ok(await instruct(metered, rows, "--budget", String(10 * need)));
    assert.deepEqual(readFileSync(rows), readFileSync(whole));
  });

  test("asks nothing where the budget is below one request, and names the least", async () => {
    await using teacher = await startTeacher({ price });
    const { status, stderr } = await instruct(teacher, newRows(), "--budget", "0.000001");
    assert.equal(status, 3);
    assert.match(stderr, /at least 0\.\d+/);
    assert.equal(teacher.requests.length, 0);
  });

  test("stops at once where a key is wrong or an account is empty", async () => {
    for (const fault of ["401", "402", "quota"] as const) {
      await using teacher = await startTeacher({ price, fault: () => fault });
      const { status } = await instruct(teacher, newRows());
      assert.equal(status, 1);
      assert.ok(teacher.requests.length <= 8, `${teacher.requests.length} requests`);
    }
  });

  test("stops where one reply comes to everything", async () => {
    await using teacher = await startTeacher({ price, fault: () => "same" });
    const { status, stderr } = await instruct(teacher, newRows());
    assert.equal(status, 1);
    assert.match(stderr, /one and the same reply: Hello!/);
    assert.ok(teacher.requests.length <= 21 + 8);
  });

  test("takes JSON by a schema, and text from an endpoint that has none, with the same rows", async () => {
    const automatic = (words: string[]): string[] =>
      words.filter((word) => !["--structured", "never"].includes(word));
    const written: string[] = [];
    for (const takesSchema of [true, false]) {
      await using teacher = await startTeacher({ price, takesSchema });
      const rows = newRows();
      mkdirSync(join(rows, ".."));
      const { stderr } = ok(await llava(automatic(command(teacher, rows))));
      assert.equal(/takes no schema/.test(stderr), !takesSchema);
      ok(await llava(automatic(command(teacher, rows))));
      assert.equal(teacher.requests.length, 3 * images);
      written.push(readFileSync(rows, "utf8"));
    }
    assert.equal(written[0], written[1]);
  });

  test("estimates what a run takes, with a pilot and without", async () => {
    await using teacher = await startTeacher({ price });
    const rows = newRows();
    const rough = JSON.parse(ok(await instruct(teacher, rows, "--estimate", "--json")).stdout);
    assert.equal(teacher.requests.length, 0);
    const fine = JSON.parse(ok(await instruct(teacher, rows, "--estimate", "8", "--json")).stdout);
    assert.equal(teacher.requests.length, 24);
    ok(await instruct(teacher, rows));
    const used = linesOf<{ usage: { promptTokens: number } }>(
      rows.replace(".jsonl", ".run/provenance.jsonl"),
    );
    const prompt = used.reduce((sum, { usage }) => sum + usage.promptTokens, 0);
    for (const { kinds } of [rough, fine]) {
      const told = kinds.reduce((sum: number, kind: { promptTokens: number }) => sum + kind.promptTokens, 0);
      assert.ok(Math.abs(told / prompt - 1) < 0.02, `${told} and ${prompt}`);
    }
    assert.ok(Math.abs(fine.cost.mean / teacher.billed - 1) < 0.1);
  });

  test("shows what it would ask, and writes a report with plots", async () => {
    const rows = newRows();
    const scenes = join(golden, "scenes.jsonl");
    const show = ["-q", "data", "instruct", "--captions", scenes, "--out", rows, "--show-prompt"];
    const { stdout } = ok(await llava([...show, "scene/one.jpg"]));
    const prompts = stdout.split(/^=== (?=\w+\n--- system)/m).slice(1);
    assert.equal(prompts.length, 3);
    for (const prompt of prompts) {
      const name = prompt.slice(0, prompt.indexOf("\n"));
      assert.equal(prompt.slice(name.length + 1), readFileSync(join(golden, `${name}.txt`), "utf8"));
    }
    assert.ok(!existsSync(rows.replace(".jsonl", ".run")));
    await using teacher = await startTeacher();
    const report = JSON.parse(ok(await instruct(teacher, rows, "--json")).stdout);
    assert.deepEqual(report.classes, {
      conversation: { ok: images },
      detail: { ok: images },
      reasoning: { ok: images },
    });
    assert.ok(report.yesNo.yes <= 1.5 * report.yesNo.no && report.yesNo.no <= 1.5 * report.yesNo.yes);
    for (const name of ["classes.svg", "question-starts.svg", "answer-words.svg", "report.json"])
      assert.ok(existsSync(join(rows.replace(".jsonl", ".run"), name)));
  });

  test("takes kinds of one's own, and lines of one's own", async () => {
    const kind = join(folder, "kind.ts");
    writeFileSync(
      kind,
      `export default {
        name: "title", system: "Write a title.", fewShots: [], maxTokens: 64, answerWords: [1, 60], ungrounded: "ignore",
        query: ({ captions }) => captions.join(" / "),
        parse: (reply) => ({ turns: [{ question: "What title fits?", answer: reply }], isClosed: false }),
        check: ([turn]) => (turn.answer.includes("nothing") ? "rejected" : undefined),
      };`,
    );
    const lines = join(folder, "own.jsonl");
    writeFileSync(
      lines,
      `${[
        { image: "a/one.jpg", captions: ["A dog."] },
        {
          image: "a/two.jpg",
          caption: "There is nothing.",
          boxes: [{ category: "dog", box: [0, 0, 64, 48] }],
          width: 640,
          height: 480,
        },
      ]
        .map((line) => JSON.stringify(line))
        .join("\n")}\n`,
    );
    await using teacher = await startTeacher();
    const rows = newRows();
    const words = ["-q", "data", "instruct", "--captions", lines, "--out", rows, "--kind", kind];
    ok(await llava([...words, "--endpoint", teacher.url, "--model", "t"]));
    assert.deepEqual(
      provenanceOf(rows).map(({ id, class: name }) => [id, name]),
      [
        ["one-title", "ok"],
        ["two-title", "rejected"],
      ],
    );
    await using batches = await startBatches((order) => (order === 0 ? "expired" : "complete"));
    const batched = words.map((word) => (word === rows ? newRows() : word));
    ok(
      await llava([
        ...batched,
        "--endpoint",
        batches.url,
        "--model",
        "t",
        "--batch-api",
        "--batch-poll",
        "0.1",
      ]),
    );
    assert.deepEqual(
      linesOf<{ conversations: { value: string }[] }>(batched[words.indexOf(rows)]!).map(
        ({ conversations }) => conversations[1]!.value,
      ),
      ["A dog.!"],
    );
    assert.equal(batches.batches.flat().length, 3);
  });
});
