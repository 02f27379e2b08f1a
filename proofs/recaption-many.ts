// What a run of very many items takes with a teacher that answers at once: node proofs/recaption-many.ts [ITEMS]
// Nine tenths are captioned, the ledger is closed, and another one goes on from there, as after a kill. With --postgres BINARIES, a folder
// with initdb and pg_ctl, three processes do it all with a ledger on a server of its own; this takes the package pg.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { askRecaption, openRecaptionSource, planRecaption, writeRecaptions } from "../src/datagen/index.ts";
import { writeRows } from "../src/files/index.ts";
import { noUsage } from "../src/protocol/index.ts";
import { type Answerer, Ledger, PostgresLedger, type RunLedger } from "../src/runner/index.ts";
import { startPostgres } from "./postgres-server.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { postgres: { type: "string" }, engine: { type: "string" }, list: { type: "string" } },
});
const items = Number(positionals[0] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "llava-many-"));
const began = performance.now();
const runName = "many";
let answered = 0;
let firstOfSecond: number | undefined;
let largest = 0;
const watch = setInterval(() => {
  largest = Math.max(largest, process.memoryUsage.rss());
}, 200);

/** Answers at once, until it has answered so many. */
const teacherUntil = (most: number, stop: AbortController): Answerer => ({
  id: "instant",
  identity: "",
  concurrency: 2,
  batchSize: 100,
  answer: async (requests) => {
    firstOfSecond ??= performance.now();
    // Others get their turn, as they do while a real teacher thinks.
    await new Promise((done) => setImmediate(done));
    return requests.map(() => {
      answered++;
      if (answered >= most) stop.abort();
      return {
        text: `Photo number ${answered} shows a dog that runs along a beach, and a man who follows it with a leash.`,
        reason: "stop",
        usage: { ...noUsage, promptTokens: 600, completionTokens: 25 },
        model: "instant",
      };
    });
  },
});

const seconds = (from: number): string => ((performance.now() - from) / 1000).toFixed(1);

async function run(ledger: RunLedger, list: string, most: number): Promise<void> {
  const stop = new AbortController();
  const options = {
    ledger,
    source: await openRecaptionSource(list),
    answerer: teacherUntil(most, stop),
    prompt: "Describe this in detail.",
    maxTokens: 512,
    temperature: 0,
    seed: 0,
    media: {
      identity: "",
      file: ({ image }: { image: string }) => image,
      imagesOf: () => 1,
      shown: async ({ image }: { image: string }) => [image],
    },
    signal: stop.signal,
    onProgress: () => {},
  };
  const planned = performance.now();
  await ledger.plans.alone(() => planRecaption(options));
  console.log(`planned in ${seconds(planned)} s`);
  const asked = performance.now();
  const before = answered;
  await askRecaption(options).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  console.log(`${answered - before} captions in ${seconds(asked)} s`);
}

async function finish(ledger: RunLedger, started: number, replies: number, more: object): Promise<void> {
  const exported = performance.now();
  const report = await writeRecaptions(ledger, { out: join(folder, "rows.jsonl"), folder, seed: 0 });
  console.log(`exported in ${seconds(exported)} s`);
  console.log(
    JSON.stringify({
      items: report.items,
      classes: report.classes,
      askedTwice: replies - items,
      seconds: Number(seconds(started)),
      itemsASecond: Math.round(items / ((performance.now() - started) / 1000)),
      ...more,
    }),
  );
  if (report.items !== items || report.classes.ok !== items || replies !== items) process.exitCode = 1;
}

/** A file, and a process that goes on where another was stopped. */
async function inFile(list: string): Promise<void> {
  const path = join(folder, "ledger.sqlite");
  const started = performance.now();
  {
    using ledger = new Ledger(path);
    await run(ledger, list, Math.round(0.9 * items));
  }
  const again = performance.now();
  firstOfSecond = undefined;
  using ledger = new Ledger(path);
  await run(ledger, list, Number.POSITIVE_INFINITY);
  console.log(`the second went on after ${((firstOfSecond! - again) / 1000).toFixed(1)} s`);
  await finish(ledger, started, answered, {
    ledgerMegabytes: Math.round(statSync(path).size / 1e6),
    largestMegabytes: Math.round(largest / 1e6),
  });
}

/** Three processes, whose ledger is on a server: it holds the items alone, and no jobs beside them. */
async function onServer(list: string, binaries: string): Promise<void> {
  await using server = await startPostgres(binaries);
  const started = performance.now();
  const workers = [0, 1, 2].map(async () => {
    const args = [fileURLToPath(import.meta.url), String(items), "--engine", server.url, "--list", list];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return Number(stdout.trimEnd().split("\n").at(-1));
  });
  const replies = await Promise.all(workers);
  console.log(`captioned in ${seconds(started)} s: ${replies.join(", ")}`);
  await using ledger = await PostgresLedger.open(server.url, runName);
  await run(ledger, list, 0);
  const sum = replies.reduce((all, own) => all + own, 0);
  await finish(ledger, started, sum, { largestMegabytes: Math.round(largest / 1e6) });
}

/** One of them. */
async function work(engine: string, list: string): Promise<void> {
  await using ledger = await PostgresLedger.open(engine, runName);
  await run(ledger, list, Number.POSITIVE_INFINITY);
  console.log(answered);
}

async function main(): Promise<void> {
  const list = join(folder, "items.jsonl");
  await writeRows(
    list,
    (function* () {
      for (let number = 0; number < items; number++) yield { image: `https://photos.test/${number}.jpg` };
    })(),
  );
  console.log(`${items} items listed in ${seconds(began)} s`);
  if (values.postgres === undefined) await inFile(list);
  else await onServer(list, values.postgres);
}

try {
  if (values.engine === undefined) await main();
  else await work(values.engine, values.list!);
} finally {
  clearInterval(watch);
  rmSync(folder, { recursive: true });
}
