/**
 * Milliseconds that two processes take for a sum and a gather of 64 MiB and for a gather of 4 KiB, beside PyTorch's, and for the
 * exchange before a step, with those that the processor of the first is at work. Processes of both take turns. On idle cores:
 * node bench/collectives.ts PYTHON [--rounds 5], an interpreter that has torch
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inProcesses } from "../test/support/process-ranks.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" } },
});
const [python] = positionals;
if (python === undefined) throw new Error("usage: node bench/collectives.ts PYTHON [--rounds 5]");
/** In each process, of which the first does not count. */
const REPEATS = 11;
const own: Record<string, number[]> = {};
const theirs: Record<string, number[]> = {};
const median = (of: readonly number[]): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)]!;
const add = (to: Record<string, number[]>, found: Record<string, number[]>): void => {
  for (const [name, times] of Object.entries(found)) to[name] = [...(to[name] ?? []), ...times.slice(1)];
};
for (let round = 0; round < Number(values.rounds); round++) {
  add(own, (await inProcesses<Record<string, number[]>>(2, "times", REPEATS))[0]!);
  const script = join(import.meta.dirname, "collectives_peer.py");
  add(theirs, JSON.parse(execFileSync(python, [script, String(REPEATS)], { encoding: "utf8" })));
}
const told = (times: Record<string, number[]>, name: string): string =>
  `${median(times[name]!).toFixed(2)} ms (processor ${median(times[`${name}, processor`]!).toFixed(2)} ms)`;
for (const name of ["sum", "gather", "small gather"]) {
  const times = (median(own[name]!) / median(theirs[name]!)).toFixed(2);
  console.log(`${name}: ${told(own, name)}, PyTorch's ${told(theirs, name)}: ${times} × (bar: 1.1)`);
}
console.log(`exchange before a step: ${told(own, "exchange")} (bar: 1 ms)`);
