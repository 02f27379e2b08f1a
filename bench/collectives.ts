/**
 * Milliseconds that two processes take for a sum and a gather of 64 MiB, beside PyTorch's, in turns; and for the exchange before a
 * step. On idle cores: node bench/collectives.ts PYTHON [--rounds 3], an interpreter that has torch
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inProcesses } from "../test/support/process-ranks.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" } },
});
const [python] = positionals;
if (python === undefined) throw new Error("usage: node bench/collectives.ts PYTHON [--rounds 3]");
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
for (const name of ["sum", "gather"]) {
  const [here, there] = [median(own[name]!), median(theirs[name]!)];
  console.log(
    `${name} of 64 MiB: ${here.toFixed(1)} ms, PyTorch's ${there.toFixed(1)} ms: ${(here / there).toFixed(2)} ×`,
  );
}
console.log(`exchange before a step: ${median(own["exchange"]!).toFixed(2)} ms`);
