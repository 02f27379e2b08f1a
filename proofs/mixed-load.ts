/**
 * A server under four times the load that it can bear, for minutes, while clients leave, bodies are broken and the model fails:
 *
 *   node proofs/mixed-load.ts [--minutes 60] [--model llava-smol-135m] [--memory 0.5] [--faults 0.0005] [--seed 1]
 *
 * Answers that come whole must be those of the same request alone, broken bodies be refused as such, failures of the model be told
 * as such, every request be answered by something; memory must stay within --memory + 10 % of what the process held before, and
 * at the end nothing may be held: no request, no medium, and no tensor more. The language model fails in a step with the chance
 * --faults, and so does what an answer is read from.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ask, bodyOf, isAnswered, type Question, type Target } from "../bench/serving/load.ts";
import { loadModel } from "../src/index.ts";
import type { ServedModel, ServedPart, ServedRequest } from "../src/protocol/index.ts";
import { mulberry32 } from "../src/random/index.ts";
import { ServingEngine } from "../src/serving/engine/index.ts";
import { HttpServer } from "../src/serving/http/index.ts";
import { defaultModel } from "../src/setup/index.ts";
import { liveTensors } from "../src/torch/index.ts";
import { collectGarbage } from "../test/support/garbage.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: defaultModel },
    minutes: { type: "string", default: "60" },
    memory: { type: "string", default: "0.5" },
    faults: { type: "string", default: "0.0005" },
    seed: { type: "string", default: "1" },
  },
});
const budget = Number(values.memory) * 1e9;
const random = mulberry32(Number(values.seed));
const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
const CLIENTS = 8;
/** Milliseconds after which a request counts as not answered. */
const PATIENCE = 300_000;

const counts = { right: 0, wrong: 0, left: 0, refused: 0, bad: 0, failed: 0, unanswered: 0, odd: 0 };
let [faults, isFailing] = [0, false];
const mayFail = (): void => {
  if (!isFailing || random() >= Number(values.faults)) return;
  faults++;
  throw new Error("a fault that was asked for");
};

using model = await loadModel(values.model);
collectGarbage();
const tensorsBefore = liveTensors();
{
  const { languageModel } = model.pretrained.model;
  const forward = languageModel.forward.bind(languageModel);
  languageModel.forward = (...args: Parameters<typeof forward>) => {
    mayFail();
    return forward(...args);
  };
  using engine = new ServingEngine(model, { memory: budget, maxRunning: CLIENTS, queueLimit: 2 * CLIENTS });
  await using server = await HttpServer.listen({ port: 0 });
  await server.add("served", failing(engine));
  await load(engine, { name: "served", url: server.url, model: "served" });
}
collectGarbage();
const leaked = liveTensors() - tensorsBefore;
console.log(`${leaked} tensors are left`);
if (leaked > 0 || counts.wrong + counts.unanswered + counts.odd > 0) process.exitCode = 1;

/** The engine, which also fails while an answer is read from it. */
function failing(engine: ServingEngine): ServedModel {
  return new Proxy(engine, {
    get(target, name) {
      if (name === "answer")
        return async function* (request: ServedRequest): AsyncGenerator<ServedPart, void, undefined> {
          for await (const part of target.answer(request)) {
            mayFail();
            yield part;
          }
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function load(engine: ServingEngine, target: Target): Promise<void> {
  const questions = Array.from({ length: 24 }, (_, i): Question => {
    const images = pick([[], [i % 6], [i % 6, (i + 1) % 6]]);
    const drawn = i % 2 === 0 ? {} : { temperature: 1, seed: i };
    return {
      text: pick(["What is it?", "Why is that so?", "Tell more."]),
      images,
      tokens: 4 + (i % 20),
      more: drawn,
    };
  });
  const bodies = await Promise.all(questions.map((question) => bodyOf(target, question)));
  const alone: string[] = [];
  for (const [i, body] of bodies.entries())
    alone.push(await textOf(target, JSON.stringify({ ...JSON.parse(body), cache_salt: `alone ${i}` })));
  const began = performance.now();
  await Promise.all(bodies.slice(0, 2 * CLIENTS).map((body) => textOf(target, body)));
  const capacity = (2 * CLIENTS) / ((performance.now() - began) / 1000);
  const [rss, end] = [process.memoryUsage().rss, performance.now() + Number(values.minutes) * 60_000];
  let [most, asked, next] = [rss, 0, performance.now()];
  isFailing = true;
  const running = new Set<Promise<void>>();
  while (performance.now() < end) {
    next += (-Math.log(1 - random()) / (4 * capacity)) * 1000;
    await wait(Math.max(0, next - performance.now()));
    const one = anyRequest(target, bodies, alone).finally(() => running.delete(one));
    running.add(one);
    asked++;
    most = Math.max(most, process.memoryUsage().rss);
  }
  await Promise.all(running);
  isFailing = false;
  console.log(
    `${asked} requests at 4 times the ${capacity.toFixed(1)} a second that it answers, ${faults} faults: ${JSON.stringify(counts)}`,
  );
  const grown = most - rss;
  console.log(
    `at most ${Math.round(grown / 2 ** 20)} MiB more than before; ${Math.round((1.1 * budget) / 2 ** 20)} MiB are given`,
  );
  if (grown > 1.1 * budget) process.exitCode = 1;
  const { running: under, waiting, memory, preemptions } = engine.state();
  console.log(
    `${under} run, ${waiting} wait, ${memory.media} bytes of media are held; ${preemptions} were put off`,
  );
  if (under + waiting + memory.media > 0) process.exitCode = 1;
  for (const [i, body] of bodies.entries()) if ((await textOf(target, body)) !== alone[i]) counts.wrong++;
}

async function textOf(target: Target, body: string): Promise<string> {
  const outcome = await ask(target, body);
  if (!isAnswered(outcome)) throw new Error(`status ${outcome.status}`);
  return outcome.text;
}

async function anyRequest(
  target: Target,
  bodies: readonly string[],
  alone: readonly string[],
): Promise<void> {
  const index = Math.floor(random() * bodies.length);
  const body = bodies[index]!;
  const kind = random();
  if (kind < 0.15) return await badRequest(target, body);
  const leaves = kind < 0.4;
  const signal = AbortSignal.timeout(leaves ? Math.ceil(random() * 2000) : PATIENCE);
  try {
    const outcome = await ask(target, body, { signal });
    if (!isAnswered(outcome)) {
      if (outcome.status === 503 || outcome.status === 429) counts.refused++;
      else if (outcome.status === 500) counts.failed++;
      else counts.odd++;
    } else if (outcome.text === alone[index]) counts.right++;
    else counts.wrong++;
  } catch (error) {
    if (/broke off/.test((error as Error).message)) counts.failed++;
    else if (!signal.aborted) counts.odd++;
    else if (leaves) counts.left++;
    else counts.unanswered++;
  }
}

/** What no model is asked: it must be refused, at once or because too much waits. */
async function badRequest(target: Target, body: string): Promise<void> {
  const json = JSON.parse(body);
  const bad = pick([
    body.slice(0, Math.floor(random() * (body.length - 1))),
    JSON.stringify({ ...json, temperature: "hot" }),
    JSON.stringify({ ...json, messages: [{ role: "user", content: [{ type: "image_url", image_url: 7 }] }] }),
    JSON.stringify({
      ...json,
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA" } },
          ],
        },
      ],
    }),
    JSON.stringify({ ...json, max_tokens: -4 }),
  ]);
  const outcome = await ask(target, bad, { signal: AbortSignal.timeout(PATIENCE) }).catch(() => undefined);
  if (outcome !== undefined && !isAnswered(outcome) && [400, 413, 429, 503].includes(outcome.status))
    counts.bad++;
  else counts.odd++;
}
