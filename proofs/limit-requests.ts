// How well processes share a limit: node proofs/limit-requests.ts [SECONDS, 30] [WORKERS, 4] [A_SECOND, 50]
// An endpoint takes so many requests a second, a second's worth at once, and refuses others with 429. In the middle it
// refuses all for a while. The workers must use the rest of the time at 90 to 100 % of the limit, none less than half the mean.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLlava } from "../test/support/cli.ts";
import { answer, startEndpoint, status } from "../test/support/endpoint.ts";

const [seconds, workers, limit] = [30, 4, 50].map((value, place) =>
  Number(process.argv[place + 2] ?? value),
) as [number, number, number];
const folder = mkdtempSync(join(tmpdir(), "llava-limit-"));
const items = seconds * limit;
const stormAt = Math.floor(items / 3);
const stormMs = 2000;

let tokens = limit;
let filled = performance.now();
let storm: { readonly begin: number; readonly end: number } | undefined;
let [refused, refusedInStorm] = [0, 0];
const times: number[] = [];
const byWorker = new Map<string, number>();
await using model = await startEndpoint((_, { headers, body }) => {
  const now = performance.now();
  tokens = Math.min(limit, tokens + ((now - filled) * limit) / 1000);
  filled = now;
  if (storm === undefined && times.length >= stormAt) storm = { begin: now, end: now + stormMs };
  if (storm !== undefined && now < storm.end) {
    refusedInStorm++;
    return status(429, { "retry-after-ms": String(Math.ceil(storm.end - now)) });
  }
  // A request may come a little early where another one was late.
  if (tokens < 1) {
    refused++;
    return status(429, { "retry-after-ms": "20" });
  }
  tokens--;
  times.push(now);
  const worker = headers.authorization!;
  byWorker.set(worker, (byWorker.get(worker) ?? 0) + 1);
  return answer(`A dog runs on beach ${body["seed"]}.`, 100);
});

try {
  const list = join(folder, "items.jsonl");
  const lines = Array.from({ length: items }, (_, number) => ({
    image: `https://photos.test/${number}.jpg`,
  }));
  writeFileSync(list, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const run = join(folder, "run");
  mkdirSync(run);
  const started = Array.from({ length: workers }, (_, worker) =>
    startLlava(
      [
        ...["-q", "data", "recaption", list, "--endpoint", model.url, "--model", "m", "--run", run],
        ...["--out", join(folder, `rows${worker}.jsonl`), "--concurrency", "16"],
        ...["--requests-per-minute", String(60 * limit)],
      ],
      { env: { OPENAI_API_KEY: `worker-${worker}` } },
    ),
  );
  const outcomes = await Promise.all(started.map(({ ended }) => ended));
  for (const { status: code, stderr } of outcomes) if (code !== 0) throw new Error(stderr);
  const rows = readFileSync(join(folder, "rows0.jsonl"), "utf8").trimEnd().split("\n").length;
  // Where the second's worth at once is used up, in the beginning and after the storm.
  const resumed = times.findIndex((time) => time > storm!.begin);
  const spans = [times.slice(2 * limit, resumed), times.slice(resumed + 2 * limit)];
  const span = spans.reduce((sum, part) => sum + (part.at(-1)! - part[0]!) / 1000, 0);
  const rate = spans.reduce((sum, { length }) => sum + length - 1, 0) / span;
  const counts = [...byWorker.values()];
  const result = {
    items,
    rows,
    rate: Number(rate.toFixed(2)),
    limit,
    share: Number((rate / limit).toFixed(2)),
    refused,
    refusedInStorm,
    byWorker: counts,
    leastOfMean: Number(((Math.min(...counts) * workers) / items).toFixed(2)),
  };
  console.log(JSON.stringify(result));
  const isRight =
    rows === items &&
    counts.length === workers &&
    result.share >= 0.9 &&
    result.share <= 1 &&
    result.leastOfMean >= 0.5;
  if (!isRight) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
