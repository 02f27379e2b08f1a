// What a run of very many items takes with a teacher that answers at once: node proofs/recaption-many.ts [ITEMS]
// Nine tenths are captioned, the ledger is closed, and another one goes on from there, as after a kill.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askRecaption, openRecaptionSource, planRecaption, writeRecaptions } from "../src/datagen/index.ts";
import { writeRows } from "../src/files/index.ts";
import { noUsage } from "../src/protocol/index.ts";
import { type Answerer, Ledger } from "../src/runner/index.ts";

const items = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "llava-many-"));
const began = performance.now();
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

try {
  const list = join(folder, "items.jsonl");
  await writeRows(
    list,
    (function* () {
      for (let number = 0; number < items; number++) yield { image: `https://photos.test/${number}.jpg` };
    })(),
  );
  console.log(`${items} items listed in ${seconds(began)} s`);
  const run = async (ledger: Ledger, most: number): Promise<void> => {
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
    await planRecaption(options);
    console.log(`planned in ${seconds(planned)} s`);
    const asked = performance.now();
    const before = answered;
    await askRecaption(options).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    console.log(`${answered - before} captions in ${seconds(asked)} s`);
  };
  const path = join(folder, "ledger.sqlite");
  const started = performance.now();
  {
    using ledger = new Ledger(path);
    await run(ledger, Math.round(0.9 * items));
  }
  const again = performance.now();
  firstOfSecond = undefined;
  using ledger = new Ledger(path);
  await run(ledger, Number.POSITIVE_INFINITY);
  console.log(`the second went on after ${((firstOfSecond! - again) / 1000).toFixed(1)} s`);
  const exported = performance.now();
  const report = await writeRecaptions(ledger, { out: join(folder, "rows.jsonl"), folder, seed: 0 });
  console.log(`exported in ${seconds(exported)} s`);
  const asked = answered - items;
  console.log(
    JSON.stringify({
      items: report.items,
      classes: report.classes,
      askedTwice: asked,
      seconds: Number(seconds(started)),
      itemsASecond: Math.round(items / ((performance.now() - started) / 1000)),
      ledgerMegabytes: Math.round(statSync(path).size / 1e6),
      largestMegabytes: Math.round(largest / 1e6),
    }),
  );
  if (report.items !== items || report.classes.ok !== items) process.exitCode = 1;
} finally {
  clearInterval(watch);
  rmSync(folder, { recursive: true });
}
