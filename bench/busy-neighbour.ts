/**
 * What a neighbour that keeps one core busy costs: decoding and the stage-1 training step of the default model, alone and beside
 * a busy loop, for one or several settings of how libtorch's threads wait:
 *
 *   node bench/busy-neighbour.ts [--spins default,0,30000] [--rounds 5] [--tokens 16] [--dtype float32] [--json]
 *
 * --spins are values of GOMP_SPINCOUNT; "default" is the project's own, "passive" OMP_WAIT_POLICY=passive. All settings take
 * turns, alone and beside, so that whatever else the machine does meets all of them. Told are medians and, of the rounds that
 * other work disturbed least, the fastest: a share of 1.00 is the speed alone, and what the neighbour must cost is its core.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type DType, fastDType, instructionSet, numThreads } from "../src/torch/index.ts";
import { loadWork } from "./default-model.ts";
import { median, Peer } from "./peer.ts";

const { values: flags } = parseArgs({
  options: {
    spins: { type: "string", default: "default" },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "16" },
    dtype: { type: "string", default: fastDType().dtype },
    json: { type: "boolean", default: false },
    worker: { type: "boolean", default: false },
  },
});
const script = fileURLToPath(import.meta.url);
const tasks = ["decode", "train"] as const;

/** Answers each line, the name of a task, with the seconds that a unit of it takes. */
async function work(): Promise<void> {
  const { decode, train } = await loadWork(flags.dtype as DType);
  const run = { decode: () => decode(Number(flags.tokens)), train: () => train(1) };
  console.log(`${numThreads()} threads`);
  for await (const line of createInterface({ input: process.stdin })) {
    run[line as "decode" | "train"]();
    console.log(run[line as "decode" | "train"]());
  }
}

function environmentOf(setting: string): NodeJS.ProcessEnv {
  const { GOMP_SPINCOUNT: _, OMP_WAIT_POLICY: __, ...rest } = process.env;
  if (setting === "default") return rest;
  return setting === "passive" ? { ...rest, OMP_WAIT_POLICY: setting } : { ...rest, GOMP_SPINCOUNT: setting };
}

async function startNeighbour(): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ["-e", "for (const end = Date.now() + 120_000; Date.now() < end; );"],
    { stdio: "ignore" },
  );
  await once(child, "spawn");
  await wait(100); // until it is past its start; it ends by itself, should this process be killed
  return child;
}

interface Times {
  readonly alone: number[];
  readonly beside: number[];
}

async function compare(): Promise<void> {
  const settings = flags.spins.split(",");
  const workers = await Promise.all(
    settings.map((setting) =>
      Peer.start(process.execPath, [script, "--worker", "--dtype", flags.dtype, "--tokens", flags.tokens], {
        env: environmentOf(setting),
      }),
    ),
  );
  const times = new Map<string, Times>();
  for (let round = -1; round < Number(flags.rounds); round++)
    for (const beside of [false, true]) {
      const neighbour = beside ? await startNeighbour() : undefined;
      for (const task of tasks)
        for (const [at, setting] of settings.entries()) {
          const seconds = await workers[at]!.ask(task);
          if (round < 0) continue; // the first round warms up
          const key = `${setting} ${task}`;
          const so = times.get(key) ?? { alone: [], beside: [] };
          so[beside ? "beside" : "alone"].push(seconds);
          times.set(key, so);
        }
      neighbour?.kill();
    }
  for (const worker of workers) worker?.close();
  const results = settings.flatMap((setting) =>
    tasks.map((task) => {
      const { alone, beside } = times.get(`${setting} ${task}`)!;
      const [best, bestBeside] = [Math.min(...alone), Math.min(...beside)];
      const share = median(alone) / median(beside);
      return { setting, task, alone: median(alone), beside: median(beside), share, best, bestBeside };
    }),
  );
  const machine = { instructions: instructionSet(), threads: numThreads(), dtype: flags.dtype };
  if (flags.json) return console.log(JSON.stringify({ bench: "busy-neighbour", ...machine, results }));
  console.log(`${machine.instructions}, ${machine.threads} threads, ${machine.dtype}`);
  const ms = (seconds: number): string => (1000 * seconds).toFixed(1).padStart(8);
  for (const { setting, task, alone, beside, share, best, bestBeside } of results)
    console.log(
      `${setting.padEnd(8)} ${task.padEnd(6)} alone ${ms(alone)} ms, beside a busy core ${ms(beside)} ms: ${share.toFixed(2)}` +
        ` (fastest ${ms(best)}, ${ms(bestBeside)}: ${(best / bestBeside).toFixed(2)})`,
    );
}

await (flags.worker ? work() : compare());
