import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { EndpointError } from "../../client/index.ts";
import { LlavaError } from "../../errors.ts";
import { type GenerationRequest, noUsage, type Reply } from "../../protocol/index.ts";
import { type Answerer, Ledger, mostCost, RequestKeys } from "../index.ts";
import { askPlanned, type PlannedRun } from "./ask-planned.ts";
import { requireLocal } from "./schema.ts";

const folder = temporaryFolder("llava-ledger");
let files = 0;
const newPath = (): string => join(folder, `${++files}.sqlite`);

const planOf = (count: number) =>
  Array.from({ length: count }, (_, number) => ({
    key: number.toString(16).padStart(64, "0"),
    id: `q${number}`,
  }));
const requestAt = (sequence: number): GenerationRequest => ({
  messages: [{ role: "user", content: `What is ${sequence}?` }],
  sampling: { maxTokens: 10 },
});
const price = { input: 1000, output: 2000 };
const usage = { promptTokens: 5, imageTokens: 0, completionTokens: 4 };
/** What each answer below costs. */
const cost = 0.013;

function answerer(
  reply: (text: string, call: number) => Reply | Promise<Reply> = (text) => ({
    text: `${text}!`,
    reason: "stop",
    usage,
  }),
  concurrency = 4,
): Answerer & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    id: "m",
    identity: "",
    batchSize: 1,
    concurrency,
    answer: (requests) =>
      Promise.all(
        requests.map(async ({ messages }) => {
          const text = String(messages[0]!.content);
          return await reply(text, asked.push(text));
        }),
      ),
  };
}

async function ask(path: string, options: Partial<PlannedRun> & Pick<PlannedRun, "answerer">, count = 20) {
  using ledger = new Ledger(path);
  ledger.plan(planOf(count));
  ledger.retryFailed();
  const error = await askPlanned({ ledger, requestAt, retry: { firstDelayMs: 1 }, ...options }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error !== undefined && !(error instanceof LlavaError)) throw error;
  return { error, counts: ledger.counts(), spending: ledger.spending(), entries: [...ledger.entries()] };
}

describe("a ledger's plan", () => {
  test("counts what texts come again, and names the model that answered most, the first of several by name", async () => {
    for (const [models, most] of [
      ["b a a a", "a"],
      ["c b b a a", "a"],
      ["b b a", "b"],
    ] as const) {
      using ledger = new Ledger(newPath());
      const served = models.split(" ");
      ledger.plan(planOf(served.length + 1));
      const claims = ledger.claim(served.length);
      await ledger.settle(
        claims.map(({ item }, at) => {
          const text = at < 2 ? "same" : `other ${at}`;
          const reply = { text, reason: "stop", usage, model: served[at]! } as const;
          return { item, reply, cost: 0, attempts: 1 };
        }),
      );
      assert.equal(ledger.mostServed(), most);
      assert.deepEqual(
        [...ledger.entries()].map(({ reply }) => reply?.sameText),
        [2, 2, ...served.slice(2).map(() => 1), undefined],
      );
    }
  });

  test("is asked once, in any process, and kept in its order", async () => {
    const path = newPath();
    const model = answerer();
    const first = await ask(path, { answerer: model, price });
    assert.deepEqual(first.counts, { todo: 0, claimed: 0, batched: 0, done: 20, failed: 0 });
    assert.ok(Math.abs(first.spending.spent - 20 * cost) < 1e-9);
    assert.deepEqual(
      first.entries.map(({ id, reply }) => `${id} ${reply!.text}`),
      planOf(20).map(({ id }, number) => `${id} What is ${number}?!`),
    );
    const again = await ask(path, { answerer: model, price });
    assert.equal(model.asked.length, 20);
    assert.deepEqual(again.entries, first.entries);
    const more = await ask(path, { answerer: model, price }, 25);
    assert.deepEqual([model.asked.length, more.counts.done], [25, 25]);
  });

  test("is shared by processes at once", async () => {
    const path = newPath();
    const slow = async (text: string): Promise<Reply> => {
      await sleep(5);
      return { text, reason: "stop", usage };
    };
    const models = [answerer(slow), answerer(slow), answerer(slow)];
    const runs = await Promise.all(models.map((model) => ask(path, { answerer: model }, 60)));
    assert.equal(
      models.reduce((sum, { asked }) => sum + asked.length, 0),
      60,
    );
    for (const { counts } of runs) assert.equal(counts.done, 60); // each waits for the others
  });

  test("keeps failures apart, with their reasons, and asks them again in the next run", async () => {
    const path = newPath();
    const bad = answerer((text) =>
      text.includes("7")
        ? new EndpointError("answered 400", { status: 400, retryable: false })
        : { text, reason: "stop", usage },
    );
    const first = await ask(path, { answerer: bad });
    assert.deepEqual([first.counts.done, first.counts.failed], [18, 2]);
    assert.equal(first.entries[7]!.error, "answered 400");
    const second = await ask(path, { answerer: answerer() });
    assert.deepEqual([second.counts.done, second.counts.failed], [20, 0]);
  });

  test("of which an item comes twice is refused", () => {
    using ledger = new Ledger(newPath());
    assert.throws(() => ledger.plan([...planOf(2), ...planOf(1)]), /q0: the same request comes twice/);
  });
});

describe("a worker", () => {
  test("that died gives its claims to others at once, and its reservations to what is spent", async () => {
    const path = newPath();
    const child = spawn(
      process.execPath,
      [
        "--input-type=module-typescript",
        "--eval",
        `import { Ledger } from ${JSON.stringify(new URL("ledger.ts", import.meta.url).href)};
         const ledger = new Ledger(${JSON.stringify(path)});
         ledger.plan(${JSON.stringify(planOf(20))});
         for (const { item } of ledger.claim(3)) ledger.reserve([{ item: item, amount: 0.5 }], 10);
         console.log("ready");
         setInterval(() => {}, 1000);`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(child.stdout, "data");
    {
      using ledger = new Ledger(path);
      ledger.plan(planOf(20));
      const claims = ledger.claim(20);
      assert.equal(claims.length, 17); // while it lives
      assert.deepEqual(ledger.spending(), { spent: 0, unknown: 0, reserved: 1.5 });
      const tooMuch = [{ item: claims[0]!.item, amount: 9 }];
      assert.equal(ledger.reserve(tooMuch, 10), "wait");
      child.kill("SIGKILL");
      await once(child, "exit");
      assert.equal(ledger.reserve(tooMuch, 10), "exhausted"); // nobody waits for the dead
    }
    const { counts, spending } = await ask(path, { answerer: answerer(), price });
    assert.equal(counts.done, 20);
    assert.equal(spending.unknown, 1.5);
    assert.ok(Math.abs(spending.spent - 1.5 - 20 * cost) < 1e-9);
  });

  test("that was taken for dead changes nothing of what others did since", async () => {
    const path = newPath();
    using late = new Ledger(path);
    late.plan(planOf(1));
    const [claim] = late.claim(1);
    assert.equal(late.reserve([{ item: claim!.item, amount: 1 }], 10), "reserved");
    using other = new Ledger(path);
    other.plan(planOf(1));
    const now = Date.now;
    try {
      Date.now = () => now() + 60_000;
      assert.equal(other.claim(1).length, 1);
    } finally {
      Date.now = now;
    }
    assert.equal(late.reserve([{ item: claim!.item, amount: 1 }], 10), "lost");
    other.reserve([{ item: claim!.item, amount: 2 }], 10);
    late.release(claim!.item, { charge: true });
    late.fail(claim!.item, "late", 1);
    late.unclaim(claim!.item);
    assert.deepEqual(other.spending(), { spent: 1, unknown: 1, reserved: 2 });
    assert.equal(other.counts().claimed, 1);
    await other.settle([
      { item: claim!.item, reply: { text: "first", reason: "stop", usage }, cost: 0.25, attempts: 1 },
    ]);
    await late.settle([
      { item: claim!.item, reply: { text: "second", reason: "stop", usage }, cost: 0.25, attempts: 1 },
    ]);
    assert.equal([...other.entries()][0]!.reply!.text, "first");
    assert.equal(other.spending().spent, 1.5); // both were paid
  });
});

describe("a budget", () => {
  const most = mostCost(requestAt(10), price);

  test("is never exceeded, by several processes together; a larger one goes on", async () => {
    const path = newPath();
    let billed = 0;
    const bill = async (text: string): Promise<Reply> => {
      billed += cost;
      await sleep(2);
      return { text, reason: "stop", usage };
    };
    const budget = 10 * cost + most;
    const runs = await Promise.all(
      [1, 2, 3].map(() => ask(path, { answerer: answerer(bill), price, budget }, 60)),
    );
    for (const { error } of runs) assert.equal(error?.code, "budget");
    assert.ok(billed <= budget);
    assert.ok(runs[0]!.counts.done >= 10);
    const { error, counts } = await ask(
      path,
      { answerer: answerer(bill), price, budget: 60 * cost + most },
      60,
    );
    assert.deepEqual([error, counts.done], [undefined, 60]);
    assert.ok(billed <= 60 * cost + 1e-9);
  });

  test("below one request asks nothing, and names the least", async () => {
    const model = answerer();
    const { error } = await ask(newPath(), { answerer: model, price, budget: 0.01 });
    assert.equal(error?.code, "budget");
    assert.equal(model.asked.length, 0);
    const least = Number(/at least ([\d.]+)/.exec(error.hint!)![1]);
    await ask(newPath(), { answerer: model, price, budget: least });
    assert.ok(model.asked.length > 0);
  });

  test("counts what may have been billed, and not what was not", async () => {
    const outcome = (text: string, call: number): Reply =>
      call === 1
        ? new EndpointError("broke off", { retryable: true })
        : call === 2
          ? new EndpointError("answered 429", { retryable: true, status: 429, mayBeBilled: false })
          : call === 3
            ? { text, reason: "stop", usage: noUsage }
            : { text, reason: "stop", usage };
    const { spending } = await ask(newPath(), { answerer: answerer(outcome, 1), price }, 2);
    const first = mostCost(requestAt(0), price);
    assert.ok(Math.abs(spending.unknown - 2 * first) < 1e-9);
    assert.ok(Math.abs(spending.spent - 2 * first - cost) < 1e-9);
  });

  test("takes a price", async () => {
    const { error } = await ask(newPath(), { answerer: answerer(), budget: 1 });
    assert.equal(error?.code, "usage");
  });
});

describe("limits", () => {
  test("hold for all processes together", async () => {
    const path = newPath();
    const started = performance.now();
    const limits = { requestsPerMinute: 60 * 20 };
    const models = [answerer(), answerer()];
    await Promise.all(models.map((model) => ask(path, { answerer: model, limits }, 40)));
    const seconds = (performance.now() - started) / 1000;
    assert.ok(seconds > 0.9, `40 requests at 20 a second, the first 20 at once, took ${seconds} s`);
  });

  test("an endpoint's wish to be left alone is all processes'", () => {
    const path = newPath();
    using one = new Ledger(path);
    using other = new Ledger(path);
    one.pace.hold(5000, 1000);
    one.pace.hold(1000, 1000);
    assert.equal(other.pace.heldFor(2000), 4000);
    assert.equal(other.pace.heldFor(7000), 0);
  });
});

test("one reply to many items ends the run", async () => {
  const model = answerer(() => ({ text: "Hello! How can I help?", reason: "stop", usage }));
  const { error, counts } = await ask(newPath(), { answerer: model }, 200);
  assert.equal(error?.code, "data");
  assert.match(error.message, /items got one and the same reply: Hello!/);
  assert.ok(model.asked.length <= 21 + 4 && counts.done === model.asked.length);
});

test("an image that was read before is read again only when it has changed", async () => {
  const path = newPath();
  const image = join(folder, "image.bin");
  writeFileSync(image, "one");
  utimesSync(image, 1, 1);
  const question = {
    id: "q",
    messages: [{ role: "user" as const, content: [{ type: "image" as const, image }] }],
    sampling: {},
  };
  const keyNow = async (kept?: Ledger): Promise<string> =>
    new RequestKeys(answerer(), kept?.digests).of(question);
  using ledger = new Ledger(path);
  const key = await keyNow(ledger);
  assert.equal(key, await keyNow());
  writeFileSync(image, "two");
  utimesSync(image, 1, 1); // looks the same
  assert.equal(await keyNow(ledger), key);
  utimesSync(image, 2, 2);
  assert.notEqual(await keyNow(ledger), key);
});

test("a file that is no ledger, or lies on another machine, is refused", () => {
  const path = newPath();
  writeFileSync(path, "something else that is long enough to be no database at all".repeat(20));
  assert.throws(
    () => new Ledger(path),
    (error: unknown) => error instanceof LlavaError && error.code === "data",
  );
  assert.throws(() => requireLocal("/net/run.sqlite", () => 0x6969), /NFS/);
});
