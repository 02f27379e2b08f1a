import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Communicator, exchange } from "../../src/distributed/index.ts";
import { silentProgress } from "../../src/setup/index.ts";
import { scope, zeros } from "../../src/torch/index.ts";
import { type Callback, prepareStage, type Recipe, runRecipe } from "../../src/training/index.ts";
import { fixtures } from "./training-rows.ts";

/**
 * Milliseconds of each of several rounds, and those of the processor: a sum and a gather of 64 MiB in all, into memory that is used
 * again, an exchange of a step's size, and the gather that is in it.
 */
export function times(ranks: Communicator, rounds: number): Record<string, number[]> {
  const bytes = 64 * 2 ** 20;
  const milliseconds: Record<string, number[]> = {};
  const time = (name: string, body: () => void): void => {
    ranks.sum([meeting]);
    const [began, before] = [performance.now(), process.cpuUsage()];
    body();
    const passed = performance.now() - began;
    const { user, system } = process.cpuUsage(before);
    const took = { [name]: passed, [`${name}, processor`]: (user + system) / 1000 };
    for (const [what, value] of Object.entries(took))
      milliseconds[what] = [...(milliseconds[what] ?? []), value];
  };
  using meeting = zeros([1]);
  scope(() => {
    const whole = zeros([bytes / 4]).add(1);
    const part = zeros([bytes / 4 / ranks.size]).add(1);
    const into = zeros([bytes / 4]).add(1);
    const few = zeros([4096], { dtype: "uint8" });
    for (let round = 0; round < rounds; round++) {
      time("sum", () => ranks.sum([whole]));
      time("gather", () => void ranks.gather(part, into)());
      time("small gather", () => ranks.gather(few)().dispose());
      const told = { units: 100, tokens: 4000, batches: 2, samples: ["1", "2", "3"], isStopped: false };
      time("exchange", () => exchange(ranks, told));
    }
  });
  return milliseconds;
}

/** The most resident memory of a run's phases above what was there before, MiB. */
export interface RunMemory {
  readonly loading: number;
  /** Above what the process had before all. */
  readonly training: number;
  readonly writing: number;
}

export async function memory(ranks: Communicator, recipe: Recipe): Promise<RunMemory> {
  const around = { communicator: ranks, report: () => {}, progress: silentProgress };
  const prepare = async (of: Recipe): Promise<void> => (await prepareStage(of, around))[Symbol.dispose]();
  await prepare({ ...recipe, model: join(fixtures, "llava/llama") }); // the process itself
  const before = residentMiB();
  forgetPeak();
  await prepare(recipe);
  const loading = peakMiB() - before;
  forgetPeak();
  let [training, trained] = [0, 0];
  const callback: Callback = {
    finish: () => {
      [training, trained] = [peakMiB() - before, residentMiB()];
      forgetPeak();
    },
  };
  await runRecipe(recipe, { ...around, callbacks: [callback] });
  return { loading, training, writing: peakMiB() - trained };
}

const residentMiB = (): number => process.memoryUsage.rss() / 2 ** 20;
/** Linux counts it, until it is told to count anew. */
const peakMiB = (): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) / 2 ** 10;
const forgetPeak = (): void => writeFileSync("/proc/self/clear_refs", "5");
