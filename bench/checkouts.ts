/**
 * The default model's work in several checkouts of this repository, which take turns in one run, so that a busy machine slows all
 * alike; the first is what others are compared with. Ratios below 1 are faster.
 *
 *   node bench/checkouts.ts BEFORE AFTER [MORE…] [--tasks decode,prefill,train,tower] [--rounds 8] [--dtype auto] [--json]
 *
 * A checkout is a folder whose dependencies and addon are set up: `git worktree add ../before COMMIT`, then `npm ci` and
 * `npx llava setup` there.
 */
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { fastDType, instructionSet, numThreads } from "../src/torch/index.ts";
import { median, Peer } from "./peer.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: "string", default: "decode,prefill,train" },
    rounds: { type: "string", default: "8" },
    dtype: { type: "string", default: "auto" },
    json: { type: "boolean", default: false },
    // What this program calls itself with, in a process that loads another checkout's code.
    serve: { type: "boolean", default: false },
  },
});
const dtype = flags.dtype === "auto" ? fastDType().dtype : flags.dtype;
/** Tokens, prompts or steps of one turn: few, so that turns are short beside the machine's moods. */
const COUNTS: Readonly<Record<string, number>> = { decode: 32, train: 1 };

async function serve(checkout: string): Promise<void> {
  const module = await import(pathToFileURL(resolve(checkout, "bench/default-model.ts")).href);
  const work = await module.loadWork(dtype);
  console.log(checkout);
  for await (const task of createInterface({ input: process.stdin })) console.log(work[task](COUNTS[task]));
}

async function compare(checkouts: readonly string[]): Promise<void> {
  const peers: Peer[] = [];
  for (const checkout of checkouts) {
    const args = [import.meta.filename, checkout, "--serve", "--dtype", dtype];
    const peer = await Peer.start(process.execPath, args);
    if (peer === undefined) throw new Error(`${checkout} cannot be measured: is it set up?`);
    peers.push(peer);
  }
  const results = [];
  for (const task of flags.tasks.split(",")) {
    const rounds: number[][] = [];
    for (let round = -1; round < Number(flags.rounds); round++) {
      const seconds = peers.map(() => 0);
      // Every other round goes backwards, because the first of a round finds the caches as the last left them.
      const order = round % 2 === 0 ? [...peers.keys()] : [...peers.keys()].reverse();
      for (const index of order) seconds[index] = await peers[index]!.ask(task);
      if (round >= 0) rounds.push(seconds); // the first round warms up
    }
    for (const [index, checkout] of checkouts.entries())
      results.push({
        task,
        checkout,
        milliseconds: 1000 * median(rounds.map((seconds) => seconds[index]!)),
        ratio: median(rounds.map((seconds) => seconds[index]! / seconds[0]!)),
        ratioOfBest:
          Math.min(...rounds.map((seconds) => seconds[index]!)) /
          Math.min(...rounds.map((seconds) => seconds[0]!)),
      });
  }
  for (const peer of peers) peer.close();
  if (flags.json)
    console.log(
      JSON.stringify({
        bench: "checkouts",
        instructions: instructionSet(),
        threads: numThreads(),
        dtype,
        results,
      }),
    );
  else {
    console.log(`${instructionSet()}, ${numThreads()} threads, ${dtype}`);
    for (const { task, checkout, milliseconds, ratio, ratioOfBest } of results)
      console.log(
        `${task.padEnd(8)} ${milliseconds.toFixed(1).padStart(8)} ms  ${ratio.toFixed(3)} (best turns ${ratioOfBest.toFixed(3)})  ${checkout}`,
      );
  }
}

if (flags.serve) await serve(positionals[0]!);
else if (positionals.length < 2) throw new Error("give two checkouts or more");
else await compare(positionals);
