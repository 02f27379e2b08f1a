import { setTimeout as wait } from "node:timers/promises";
import { ask, bodyOf, isAnswered, quantile } from "../../bench/serving/load.ts";
import { type Bar, textOf } from "./bar.ts";

/** Tokens of a prompt. */
const LONG = 1900;

export const gaps: Bar = async (bench) => {
  await using server = await bench.start();
  const tokens = bench.count(1600, 1000);
  // Log probabilities come with each token, also where no letter ends with it.
  const stream = await bodyOf(server, { text: "Tell a long story.", tokens, more: { logprobs: true } });
  const alone = await ask(server, stream);
  if (!isAnswered(alone)) throw new Error(`status ${alone.status}`);
  const idle = quantile(alone.gaps, 0.5);
  bench.tell(
    `a stream alone: gaps of ${idle.toFixed(1)} ms, 99 % within ${quantile(alone.gaps, 0.99).toFixed(1)} ms`,
  );
  const about = await Promise.all(
    Array.from({ length: 8 }, (_, seed) =>
      bodyOf(server, { text: "What is it?", images: [seed], tokens: 1 }),
    ),
  );
  const long = await bodyOf(server, { text: await textOf(server, LONG), tokens: 1 });
  const began = performance.now();
  const running = ask(server, stream);
  await wait(alone.first + 20 * idle);
  const arrived = performance.now();
  const others = await Promise.all([...about, long].map((body) => ask(server, body)));
  const over = performance.now();
  const besides = await running;
  if (!isAnswered(besides)) throw new Error(`status ${besides.status}`);
  const during = besides.times
    .slice(1)
    .flatMap((time, i) => (time > arrived && time < over ? [time - besides.times[i]!] : []));
  const slow = others.filter((other) => !isAnswered(other)).length;
  if (slow > 0 || during.length === 0)
    throw new Error(`${slow} of the others were refused, ${during.length} gaps beside them`);
  const p99 = quantile(during, 0.99);
  bench.tell(
    `${during.length} gaps beside 8 images and a long prompt, which took ${Math.round(over - arrived)} ms: half within ${quantile(during, 0.5).toFixed(1)} ms, 99 % within ${p99.toFixed(1)} ms, all within ${Math.max(...during).toFixed(1)} ms (${Math.round(over - began)} ms in all)`,
  );
  bench.tell(
    `99 % within ${(p99 / idle).toFixed(2)} times the gap of a stream alone; the bar is 3`,
    p99 <= 3 * idle,
  );
};
