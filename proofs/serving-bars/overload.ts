import { setTimeout as wait } from "node:timers/promises";
import OpenAI from "openai";
import { ask, bodyOf, byChance, isAnswered, quantile, type Refused } from "../../bench/serving/load.ts";
import { metricsOf } from "../../bench/serving/servers.ts";
import type { Bar } from "./bar.ts";

const [RUNNING, QUEUE, TOKENS] = [4, 8, 32];

export const overload: Bar = async (bench) => {
  await using server = await bench.start("--running", String(RUNNING), "--queue", String(QUEUE));
  const body = (seed: number) =>
    bodyOf(server, { text: `What is in photo ${seed}?`, images: [seed], tokens: TOKENS });
  const warm = performance.now();
  await Promise.all(Array.from({ length: 2 * RUNNING }, async (_, i) => ask(server, await body(i))));
  const capacity = (2 * RUNNING) / ((performance.now() - warm) / 1000);
  const seconds = bench.count(60, 5);
  const rate = 4 * capacity;
  const bodies = await Promise.all(
    Array.from({ length: Math.ceil(rate * seconds) }, (_, i) => body(1000 + i)),
  );
  let [most, isOver] = [0, false];
  const watch = (async () => {
    while (!isOver) {
      most = Math.max(most, (await metricsOf(server)).get("num_requests_waiting") ?? 0);
      await wait(100);
    }
  })();
  const outcomes = await byChance(server, bodies, rate);
  isOver = true;
  await watch;
  const answered = outcomes.filter(isAnswered);
  const refused = outcomes.filter((outcome): outcome is Refused => !isAnswered(outcome));
  bench.tell(
    `${outcomes.length} requests in ${seconds} s, 4 times the ${capacity.toFixed(1)} a second that it answers: ${answered.length} answered, ${refused.length} refused`,
  );
  bench.tell(`at most ${most} waited; the limit is ${QUEUE}`, most <= QUEUE);
  const odd = refused.filter(({ status, retryAfter }) => ![429, 503].includes(status) || !(retryAfter! >= 1));
  bench.tell(`${odd.length} refused by other than 429 or 503 with Retry-After`, odd.length === 0);
  const late = quantile(
    refused.map(({ whole }) => whole),
    0.95,
  );
  bench.tell(`95 % refused within ${late.toFixed(0)} ms; the bar is 50 ms`, !(late > 50));
  const first = quantile(
    answered.map((outcome) => outcome.first),
    0.95,
  );
  // All that can be before one: what runs, what waits, its own.
  const stated = ((RUNNING + QUEUE) / capacity) * 2000;
  bench.tell(
    `95 % of those answered within ${first.toFixed(0)} ms of asking; the bar is ${stated.toFixed(0)} ms, twice what runs and waits takes`,
    first <= stated,
  );
  await retried(bench, server);
};

/** Clients of OpenAI's library that ask at once, more than can wait, obey Retry-After until they are answered. */
async function retried(
  bench: Parameters<Bar>[0],
  { url, model }: { url: string; model: string },
): Promise<void> {
  const client = new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 20 });
  const count = bench.count(100, 4 * (RUNNING + QUEUE));
  const settled = await Promise.allSettled(
    Array.from({ length: count }, (_, i) =>
      client.chat.completions.create({
        model,
        messages: [{ role: "user", content: `Question ${i}` }],
        max_tokens: TOKENS,
      }),
    ),
  );
  const done = settled.filter(({ status }) => status === "fulfilled").length;
  bench.tell(`OpenAI's client: ${done} of ${count} answered after retries`, done === count);
}
