/**
 * What `llava serve` promises of time and memory under load, each against its bar:
 *
 *   node proofs/serving-bars.ts [gaps|overhead|overload|memory|disconnects|fairness|start …] [--model llava-smol-135m] [--serve "…"]
 *     [--size 1]
 *
 * - gaps: of a running stream while 8 images and a prompt of 2,000 tokens arrive: 99 % within 3 times those of one alone.
 * - overhead: a client's tokens a second beside those of the same model without a server: at most 3 % fewer.
 * - overload: requests at 4 times what it can answer, for 60 s: refused within 50 ms with Retry-After, and each answered after
 *   the retries of OpenAI's client.
 * - memory: 2,000 images and 2,000 requests given up: no more than 2 % above what it held after 200, and within --memory + 10 %.
 * - disconnects: 500, wherever a request stands: nothing runs 200 ms or a step later, and nothing is held.
 * - start: the port answers within 1 s, the model within 10 s, and its first image takes at most 1.2 times its third.
 * - fairness: who has one request beside another's 100 waits for 2 of those at most.
 *
 * --size 0.1 does a tenth of it. All of them without a name.
 */
import { parseArgs } from "node:util";
import { defaultModel } from "../src/setup/index.ts";
import { type Bar, Bench } from "./serving-bars/bar.ts";
import { disconnects } from "./serving-bars/disconnects.ts";
import { fairness } from "./serving-bars/fairness.ts";
import { gaps } from "./serving-bars/gaps.ts";
import { memory } from "./serving-bars/memory.ts";
import { overhead } from "./serving-bars/overhead.ts";
import { overload } from "./serving-bars/overload.ts";
import { start } from "./serving-bars/start.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string", default: defaultModel },
    serve: { type: "string", default: "" },
    size: { type: "string", default: "1" },
  },
});
const bars: Readonly<Record<string, Bar>> = {
  gaps,
  overhead,
  overload,
  memory,
  disconnects,
  fairness,
  start,
};
const named = positionals.length > 0 ? positionals : Object.keys(bars);
const unknown = named.find((name) => !(name in bars));
if (unknown !== undefined) throw new Error(`${unknown}: expected ${Object.keys(bars).join(", ")}`);
const bench = new Bench(values.model, values.serve.split(" ").filter(Boolean), Number(values.size));
for (const name of named) {
  console.log(name);
  await bars[name]!(bench);
}
if (bench.missed > 0) process.exitCode = 1;
