// How much of the requested concurrency the evaluation runner keeps busy: a model that takes a fixed time to answer, in this
// process and behind HTTP on the loopback interface (the server has a thread of its own).
//   node bench/runner.ts [--questions 6400] [--concurrency 64] [--latency 50] [--json]
// Achieved: the time that all requests were under way, over the whole time; its ceiling is the requested concurrency.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { ChatModel } from "../src/protocol/index.ts";
import {
  type Answerer,
  AnswerStore,
  chatAnswerer,
  endpointAnswerer,
  type Question,
  runQuestions,
} from "../src/runner/index.ts";

const usage = { promptTokens: 10, imageTokens: 0, completionTokens: 1 };

/** Adds up how long requests are under way. */
class Occupancy {
  #running = 0;
  #area = 0;
  #last = 0;
  #first: number | undefined;

  change(by: number): void {
    const now = performance.now();
    this.#first ??= now;
    this.#area += this.#running * (now - this.#last);
    this.#last = now;
    this.#running += by;
  }

  /** Mean number of requests under way. */
  get mean(): number {
    return this.#area / (this.#last - this.#first!);
  }
}

/** An endpoint in this thread; tells its mean occupancy when asked. */
function serve(latency: number): void {
  const occupancy = new Occupancy();
  const body = JSON.stringify({
    choices: [{ message: { content: "yes" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 10, completion_tokens: 1 },
  });
  const server = createServer((request, response) => {
    occupancy.change(1);
    request.resume();
    setTimeout(() => {
      occupancy.change(-1);
      response.writeHead(200, { "content-type": "application/json" }).end(body);
    }, latency);
  });
  server.listen(0, "127.0.0.1", () => parentPort!.postMessage(server.address()));
  parentPort!.on("message", () => parentPort!.postMessage(occupancy.mean));
}

async function measure(
  answerer: Answerer,
  occupancyOf: () => Promise<number>,
  count: number,
  concurrency: number,
) {
  const folder = mkdtempSync(join(tmpdir(), "llava-bench-"));
  const questions = Array.from({ length: count }, (_, id): Question => {
    return {
      id: String(id),
      messages: [{ role: "user", content: `Is there a dog? ${id}` }],
      sampling: { maxTokens: 1 },
    };
  });
  const started = performance.now();
  try {
    const store = await AnswerStore.open(join(folder, "answers.log"));
    const { asked } = await runQuestions({ questions, answerer, store });
    const seconds = (performance.now() - started) / 1000;
    const achieved = await occupancyOf();
    await store.close();
    return { asked, seconds, requestsPerSecond: asked / seconds, achieved, share: achieved / concurrency };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      questions: { type: "string", default: "6400" },
      concurrency: { type: "string", default: "64" },
      latency: { type: "string", default: "50" },
      json: { type: "boolean", default: false },
    },
  });
  const [count, concurrency, latency] = [values.questions, values.concurrency, values.latency].map(
    Number,
  ) as [number, number, number];
  const occupancy = new Occupancy();
  const inProcess: ChatModel = {
    id: "fake",
    async *generate() {
      occupancy.change(1);
      await wait(latency);
      occupancy.change(-1);
      yield { type: "text-delta", text: "yes" };
      yield { type: "finish", reason: "stop", usage };
    },
  };
  const worker = new Worker(new URL(import.meta.url), { workerData: { latency } });
  const said = <T>() => new Promise<T>((resolve) => worker.once("message", resolve));
  const { port } = await said<{ port: number }>();
  const overHttp = endpointAnswerer({ url: `http://127.0.0.1:${port}`, model: "fake", concurrency });
  const results = {
    inProcess: await measure(
      chatAnswerer(inProcess, concurrency),
      async () => occupancy.mean,
      count,
      concurrency,
    ),
    http: await measure(
      overHttp,
      () => {
        const mean = said<number>();
        worker.postMessage("mean");
        return mean;
      },
      count,
      concurrency,
    ),
  };
  await worker.terminate();
  if (values.json) console.log(JSON.stringify({ count, concurrency, latency, ...results }));
  else
    for (const [name, { requestsPerSecond, achieved, share }] of Object.entries(results))
      console.log(
        `${name.padEnd(9)} ${requestsPerSecond.toFixed(0)} requests/s, ${achieved.toFixed(1)} of ${concurrency} under way: ${(100 * share).toFixed(1)} %`,
      );
}

if (isMainThread) await main();
else serve(workerData.latency);
