import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import sharp from "sharp";
import { llava, startLlava } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder("review");
const decisions = join(folder, "review", "decisions.jsonl");
const tasks = Array.from({ length: 4 }, (_, at) => ({
  id: `q${at}`,
  image: `q${at}.png`,
  question: `What is ${at}?`,
  reference: `It is ${at}.`,
  class: "ok",
  flags: at === 1 ? [{ kind: "name", text: "Dr. Miller" }] : [],
  isSmall: at < 2,
}));
before(async () => {
  mkdirSync(join(folder, "review", "images"), { recursive: true });
  writeFileSync(
    join(folder, "review", "tasks.jsonl"),
    tasks.map((task) => `${JSON.stringify(task)}\n`).join(""),
  );
  for (const { image } of tasks)
    await sharp({ create: { width: 40, height: 30, channels: 3, background: "teal" } })
      .png()
      .toFile(join(folder, "review", "images", image));
});

interface Review {
  readonly url: string;
  readonly stop: (signal: NodeJS.Signals) => Promise<string>;
}

const children: ChildProcess[] = [];
after(() => children.forEach((child) => void child.kill("SIGKILL")));

async function startReview(...more: string[]): Promise<Review> {
  const { child, ended } = startLlava(["eval", "review", folder, ...more]);
  children.push(child);
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on("data", (text: string) => resolve(text.trim()));
    void ended.then(({ stderr }) => reject(new Error(stderr)));
  });
  const stop = async (signal: NodeJS.Signals): Promise<string> => {
    child.kill(signal);
    return (await ended).stderr;
  };
  return { url, stop };
}

interface Queue {
  readonly tasks: readonly { id: string; own?: { decision: string }; others: readonly string[] }[];
}
const queueAt = async (url: string): Promise<Queue> =>
  (await (await fetch(new URL("/tasks", url))).json()) as Queue;

const before_ = (at: number) => ({ question: tasks[at]!.question, reference: tasks[at]!.reference });
const decide = (url: string, decision: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(new URL("/decisions", url), {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(decision),
  });
const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("llava eval review", () => {
  test("keeps every decision, also when it is killed, and goes on", async () => {
    const first = await startReview("--reviewer", "anna");
    const page = await fetch(first.url);
    const policy = page.headers.get("content-security-policy")!;
    assert.match(policy, /default-src 'none'; script-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.doesNotMatch(await page.text(), /https?:|style=|\son[a-z]+=/);
    for (const name of ["main.ts", "page.css"])
      assert.equal((await fetch(new URL(`/page/${name}`, first.url))).status, 200);
    assert.equal(
      (await fetch(new URL("/images/q0.png", first.url))).headers.get("content-type"),
      "image/png",
    );
    assert.equal((await fetch(new URL("/images/../tasks.jsonl", first.url))).status, 404);
    const kept = await decide(first.url, { id: "q0", decision: "keep", before: before_(0) });
    assert.equal(kept.status, 200, await kept.text());
    const after = { question: "What?", reference: "That." };
    assert.equal(
      (await decide(first.url, { id: "q1", decision: "edit", before: before_(1), after })).status,
      200,
    );
    await first.stop("SIGKILL");
    appendFileSync(decisions, '{"id": "q2", "rev');

    const second = await startReview("--reviewer", "anna");
    const queue = await queueAt(second.url);
    assert.deepEqual(
      queue.tasks.map(({ own }) => own?.decision),
      ["keep", "edit", undefined, undefined],
    );
    assert.equal(
      (await decide(second.url, { id: "q2", decision: "drop", reason: "unclear", before: before_(2) }))
        .status,
      200,
    );
    assert.match(await second.stop("SIGINT"), /anna: 3 of 4 decided/);
    assert.deepEqual(
      linesOf(decisions).map(({ id, reviewer, decision }) => [id, reviewer, decision]),
      [
        ["q0", "anna", "keep"],
        ["q1", "anna", "edit"],
        ["q2", "anna", "drop"],
      ],
    );
  });

  test("takes no decision from strangers, nor about what it does not show", async () => {
    const { url, stop } = await startReview("--reviewer", "eve");
    const decision = { id: "q0", decision: "keep", before: before_(0) };
    assert.equal((await decide(url, decision, { origin: "https://evil.example" })).status, 403);
    assert.equal((await decide(url, decision, { "content-type": "text/plain" })).status, 415);
    assert.equal((await decide(url, { ...decision, id: "q9" })).status, 404);
    assert.equal((await decide(url, { ...decision, before: before_(1) })).status, 409);
    assert.equal((await decide(url, { ...decision, decision: "edit" })).status, 400);
    assert.equal((await decide(url, { ...decision, decision: "maybe" })).status, 400);
    const rebound = await new Promise<number | undefined>((resolve, reject) =>
      request(new URL("/tasks", url), { headers: { host: "evil.example" } }, ({ statusCode }) =>
        resolve(statusCode),
      )
        .on("error", reject)
        .end(),
    );
    assert.equal(rebound, 403);
    await stop("SIGINT");
    assert.ok(linesOf(decisions).every(({ reviewer }) => reviewer !== "eve"));
  });

  test("tells how far two reviewers agree, and has a third settle the rest", async () => {
    const second = await startReview("--reviewer", "ben");
    for (const [at, decision] of ["keep", "drop", "drop", "keep"].entries())
      assert.equal((await decide(second.url, { id: `q${at}`, decision, before: before_(at) })).status, 200);
    await second.stop("SIGINT");
    const { stdout } = await llava(["eval", "review", folder, "--agreement", "--json"]);
    // Of three: keep and keep, edit and drop, drop and drop. po 2/3, pe (1·1 + 0 + 1·2)/9, κ 1/2.
    const [{ kappa, common, disagreements }] = JSON.parse(stdout);
    assert.equal(common, 3);
    assert.ok(Math.abs(kappa - 0.5) < 1e-12);
    assert.deepEqual(disagreements, ["q1"]);
    const third = await startReview("--reviewer", "cora", "--settle");
    const queue = await queueAt(third.url);
    assert.deepEqual(
      queue.tasks.map(({ id }) => id),
      ["q1"],
    );
    assert.equal(queue.tasks[0]!.others.length, 2);
    assert.equal((await decide(third.url, { id: "q1", decision: "keep", before: before_(1) })).status, 200);
    await third.stop("SIGINT");
    assert.equal(linesOf(decisions).at(-1)!["settles"], true);
  });

  test("goes to Label Studio and back", async () => {
    const out = join(folder, "label-studio");
    assert.equal((await llava(["eval", "review", folder, "--to-label-studio", out])).status, 0);
    assert.match(readFileSync(join(out, "config.xml"), "utf8"), /<Choices name="decision"/);
    const written = JSON.parse(readFileSync(join(out, "tasks.json"), "utf8"));
    const choice = (from_name: string, value: string) => ({
      ...{ from_name, to_name: "image", type: "choices" },
      value: { choices: [value] },
    });
    const text = (from_name: string, value: string) => ({
      ...{ from_name, to_name: "image", type: "textarea" },
      value: { text: [value] },
    });
    const results = [
      [choice("decision", "keep"), ...written[0].predictions[0].result],
      [choice("decision", "drop"), choice("reason", "unclear")],
      [choice("decision", "keep"), text("question", "What?"), text("reference", "It is 2.")],
      [choice("decision", "keep")],
    ];
    const back = join(folder, "export.json");
    const exported = written.map((task: object, at: number) => ({
      ...task,
      annotations: [
        { completed_by: 7, was_cancelled: at === 3, result: results[at], created_at: "2026-01-01T00:00:00Z" },
      ],
    }));
    writeFileSync(back, JSON.stringify(exported));
    const taken = await llava(["-q", "eval", "review", folder, "--from-label-studio", back, "--json"]);
    assert.deepEqual(JSON.parse(taken.stdout), { taken: 3, unknown: 0, known: 0 });
    const own = linesOf(decisions).filter(({ reviewer }) => reviewer === "label-studio:7");
    assert.deepEqual(
      own.map(({ id, decision, reason, before, after }) => ({ id, decision, reason, before, after })),
      [
        { id: "q0", decision: "keep", reason: undefined, before: before_(0), after: undefined },
        { id: "q1", decision: "drop", reason: "unclear", before: before_(1), after: undefined },
        {
          ...{ id: "q2", decision: "edit", reason: undefined, before: before_(2) },
          after: { question: "What?", reference: "It is 2." },
        },
      ],
    );
    const again = await llava(["-q", "eval", "review", folder, "--from-label-studio", back, "--json"]);
    assert.deepEqual(JSON.parse(again.stdout), { taken: 0, unknown: 0, known: 3 });
  });
});
