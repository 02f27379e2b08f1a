import { createHash } from "node:crypto";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { type Communicator, exchange, sumNumbers } from "../../src/distributed/index.ts";
import { clipGradNorm } from "../../src/optim/index.ts";
import { silentProgress } from "../../src/setup/index.ts";
import { liveTensors, scope, tensor, zeros } from "../../src/torch/index.ts";
import { type Callback, type Recipe, runRecipe } from "../../src/training/index.ts";
import { firstStep } from "./first-step.ts";
import { collectGarbage } from "./garbage.ts";
import { memory, times } from "./rank-measures.ts";
import { resultValues } from "./results.ts";
import { Eager, Recorded, Slow } from "./watching-communicators.ts";

/** Each rank's numbers are its own: 10 · rank + 0, 1, 2, 3. */
function collectives(ranks: Communicator) {
  const { rank } = ranks;
  return scope(() => {
    const own = () => tensor([0, 1, 2, 3].map((i) => 10 * rank + i));
    const [summed, other] = [own(), tensor([rank])];
    ranks.sum([summed, other]);
    return {
      sum: [summed.toNumbers(), other.toNumbers()],
      gathered: ranks.gather(own())().toNumbers(),
      scattered: ranks.scatter(own())().toNumbers(),
      numbers: sumNumbers(ranks, [0.1, rank]),
      said: exchange(ranks, { rank, text: "long".repeat(rank * 2000), number: Number.NaN }).map(
        ({ rank, text, number }) => [rank, text.length, number],
      ),
    };
  });
}

/** A call that the last rank makes in the third of four steps, in another one's place; by what it is told apart. */
const planted = {
  "another type": (ranks: Communicator, isOdd: boolean) =>
    ranks.gather(isOdd ? zeros([8], { dtype: "float64" }) : zeros([16]))(),
  longer: (ranks: Communicator, isOdd: boolean) => ranks.gather(zeros([isOdd ? 2000 : 100]))(),
  shorter: (ranks: Communicator, isOdd: boolean) => ranks.gather(zeros([isOdd ? 100 : 2000]))(),
  "one more": (ranks: Communicator, isOdd: boolean) => isOdd && ranks.gather(zeros([100]))(),
  "one less": (ranks: Communicator, isOdd: boolean) => !isOdd && ranks.gather(zeros([100_000]))(),
  "a sum": (ranks: Communicator, isOdd: boolean) =>
    isOdd ? ranks.sum([zeros([2000])]) : ranks.gather(zeros([100]))(),
  "a scatter": (ranks: Communicator, isOdd: boolean) => ranks[isOdd ? "scatter" : "gather"](zeros([100]))(),
};
export type Planted = keyof typeof planted;

/** Steps of a gather and a sum, with a planted call. */
function differ(ranks: Communicator, kind: Planted, reached: (step: number) => void): string {
  for (let step = 1; step <= 4; step++) {
    scope(() => {
      ranks.gather(zeros([1000]))();
      ranks.sum([zeros([500])]);
      if (step === 3) planted[kind](ranks, ranks.rank === ranks.size - 1);
    });
    exchange(ranks, "anything");
    reached(step);
  }
  return "nothing";
}

/** `given`: the gradients of each rank. */
function clip(ranks: Communicator, given: readonly (readonly number[][])[]) {
  const parameters = given[ranks.rank]!.map((gradient) => {
    const parameter = tensor(gradient).requiresGrad_();
    parameter.grad = tensor(gradient);
    return parameter;
  });
  const norm = clipGradNorm(parameters, 1, ranks);
  return { norm, clipped: parameters.map(({ grad }) => grad!.toNumbers()) };
}

export interface GivenRun {
  readonly recipe: Recipe;
  /** The last rank stops after so many steps. */
  readonly stopAfter?: number;
  readonly resume?: boolean;
  /** Whether it ends by an error. */
  readonly fails?: boolean;
  /** Whether the last rank is slow. */
  readonly lags?: boolean;
}

/** What a run was, as one rank saw it. */
export interface Ran {
  readonly step: number;
  readonly result: string | undefined;
  /** Reports. */
  readonly lines: readonly string[];
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  /** Ids of the rows of each step, sorted. */
  readonly samples: readonly (readonly string[])[];
  /** Those whose loss is not finite. */
  readonly suspects: readonly (readonly string[])[];
  /** Of each step, whether it was left out. */
  readonly skipped: readonly boolean[];
  /** Of a run that fails, instead of a result. */
  readonly error?: string;
}

/** Trains a recipe. */
export async function run(
  ranks: Communicator,
  { recipe, stopAfter, resume = false, fails = false, lags = false }: GivenRun,
): Promise<Ran> {
  const isLast = ranks.rank === ranks.size - 1;
  const stop = new AbortController();
  const [losses, norms, skipped]: [number[], number[], boolean[]] = [[], [], []];
  const [rows, suspected]: [string[][], string[][]] = [[], []];
  const callback: Callback = {
    afterStep: ({ step }, { loss, gradientNorm, samples, suspects, skipped: isSkipped }) => {
      losses.push(loss);
      norms.push(gradientNorm);
      rows.push([...samples].sort());
      suspected.push([...suspects].sort());
      skipped.push(isSkipped);
      if (step === stopAfter && isLast) stop.abort();
    },
  };
  const lines: string[] = [];
  const ran = { losses, norms, samples: rows, suspects: suspected, skipped };
  try {
    const { step, result } = await runRecipe(recipe, {
      communicator: lags && isLast ? new Slow(ranks) : ranks,
      callbacks: [callback],
      signal: stop.signal,
      report: (line) => lines.push(line),
      progress: silentProgress,
      resume,
    });
    return { ...ran, step, result, lines };
  } catch (error) {
    if (!fails) throw error;
    const { message } = error as Error;
    return { ...ran, step: losses.length, result: undefined, lines, error: message };
  }
}

export interface Steps {
  /** Of each step. */
  readonly losses: readonly number[];
  readonly live: readonly number[];
  readonly seconds: readonly number[];
  /** SHA-256 of the result's tensors. */
  readonly result: string | undefined;
}

/** Trains a recipe, and looks at each step; `isEager`: gathers are waited for where they are begun. */
async function steps(
  ranks: Communicator,
  { recipe, isEager = false }: { readonly recipe: Recipe; readonly isEager?: boolean },
): Promise<Steps> {
  const communicator = isEager ? new Eager(ranks) : ranks;
  const [losses, live, seconds]: [number[], number[], number[]] = [[], [], []];
  const callback: Callback = {
    afterStep: (_, metrics) => {
      losses.push(metrics.loss);
      seconds.push(metrics.seconds);
      collectGarbage();
      live.push(liveTensors());
    },
  };
  const around = { communicator, callbacks: [callback], report: () => {}, progress: silentProgress };
  const { result } = await runRecipe(recipe, around);
  const values = result && JSON.stringify([...resultValues(result)]);
  return { losses, live, seconds, result: values && createHash("sha256").update(values).digest("hex") };
}

/** Trains several recipes, one after another. */
async function runs(ranks: Communicator, given: readonly GivenRun[]): Promise<Ran[]> {
  const all: Ran[] = [];
  for (const each of given) all.push(await run(ranks, each));
  return all;
}

/** The calls to other ranks that each of several runs makes; or the run's error, which all have to have. */
async function sequences(ranks: Communicator, recipes: readonly Recipe[]): Promise<string[][]> {
  const all: string[][] = [];
  for (const recipe of recipes) {
    const recorded = new Recorded(ranks);
    await run(recorded, { recipe });
    all.push(recorded.calls);
  }
  return all;
}

/** A run in which the first rank alone is busy for a while in each of its long phases. */
async function busy(
  ranks: Communicator,
  { recipe, seconds }: { readonly recipe: Recipe; readonly seconds: number },
): Promise<{ step: number; phases: readonly string[] }> {
  const phases: string[] = [];
  const rest = (phase: string): void => {
    if (ranks.rank > 0 || phases.includes(phase)) return;
    phases.push(phase);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
  };
  const { openSync } = fs;
  fs.openSync = (path, ...more) => {
    if (/checkpoints.*optimizer/.test(String(path))) rest("a checkpoint");
    if (/model\.safetensors/.test(String(path)) && String(path).startsWith(recipe.output)) rest("the result");
    return openSync(path, ...more);
  };
  syncBuiltinESMExports();
  try {
    const { step } = await runRecipe(recipe, {
      communicator: ranks,
      report: (line) => /held-out loss/.test(line) && rest("evaluation"),
      progress: (bar) => {
        if (bar.label === "features") rest("features");
        return silentProgress(bar);
      },
    });
    return { step, phases };
  } finally {
    fs.openSync = openSync;
    syncBuiltinESMExports();
  }
}

const tasks = {
  steps,
  times,
  busy,
  sequences,
  differ,
  memory,
  collectives,
  clip,
  run,
  runs,
  step: (ranks: Communicator, recipe: Recipe) => firstStep(recipe, ranks),
};

/** Does what a test names, as one of several ranks; `reached` is the group's. */
export const doTask = async (
  ranks: Communicator,
  task: string,
  given: unknown,
  reached: (step: number) => void = () => {},
): Promise<unknown> => await tasks[task as keyof typeof tasks](ranks, given as never, reached);
