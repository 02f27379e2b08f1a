import { type Communicator, exchange, sumNumbers } from "../../src/distributed/index.ts";
import { clipGradNorm } from "../../src/optim/index.ts";
import { silentProgress } from "../../src/setup/index.ts";
import { scope, tensor } from "../../src/torch/index.ts";
import { type Callback, type Recipe, runRecipe } from "../../src/training/index.ts";
import { firstStep } from "./first-step.ts";

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

/** The last rank gathers what is as long as the others' and of another type; what the next exchange says of it. */
function differ(ranks: Communicator): string {
  const dtype = ranks.rank === ranks.size - 1 ? "float64" : "float32";
  scope(() =>
    ranks
      .gather(tensor(dtype === "float64" ? [1, 2] : [1, 2, 3, 4], { dtype }))()
      .dispose(),
  );
  try {
    exchange(ranks, "anything");
    return "nothing";
  } catch (error) {
    return (error as Error).message;
  }
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
}

/** What a run was, as one rank saw it. */
export interface Ran {
  readonly step: number;
  readonly result: string | undefined;
  /** Of reports. */
  readonly lines: number;
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  /** Ids of the rows of each step, sorted. */
  readonly samples: readonly (readonly string[])[];
}

/** Trains a recipe. */
export async function run(
  ranks: Communicator,
  { recipe, stopAfter, resume = false }: GivenRun,
): Promise<Ran> {
  const stop = new AbortController();
  const [losses, norms, rows]: [number[], number[], string[][]] = [[], [], []];
  const callback: Callback = {
    afterStep: ({ step }, { loss, gradientNorm, samples }) => {
      losses.push(loss);
      norms.push(gradientNorm);
      rows.push([...samples].sort());
      if (step === stopAfter && ranks.rank === ranks.size - 1) stop.abort();
    },
  };
  const lines: string[] = [];
  const { step, result } = await runRecipe(recipe, {
    communicator: ranks,
    callbacks: [callback],
    signal: stop.signal,
    report: (line) => lines.push(line),
    progress: silentProgress,
    resume,
  });
  return { step, result, lines: lines.length, losses, norms, samples: rows };
}

/** Trains several recipes, one after another. */
async function runs(ranks: Communicator, given: readonly GivenRun[]): Promise<Ran[]> {
  const all: Ran[] = [];
  for (const each of given) all.push(await run(ranks, each));
  return all;
}

/** Resident memory of a run above what the process had before it, MiB: once all is loaded, and at most. */
async function memory(ranks: Communicator, recipe: Recipe): Promise<{ loaded: number; peak: number }> {
  scope(() => void tensor([1]).add(1)); // libtorch itself
  const before = process.memoryUsage.rss() / 2 ** 20;
  let loaded = 0;
  const callback: Callback = {
    begin: () => {
      loaded = process.memoryUsage.rss() / 2 ** 20 - before;
    },
  };
  const around = { communicator: ranks, callbacks: [callback], report: () => {}, progress: silentProgress };
  await runRecipe(recipe, around);
  return { loaded, peak: process.resourceUsage().maxRSS / 2 ** 10 - before };
}

const tasks = {
  differ,
  memory,
  collectives,
  clip,
  run,
  runs,
  step: (ranks: Communicator, recipe: Recipe) => firstStep(recipe, ranks),
};

/** Does what a test names, as one of several ranks. */
export const doTask = async (ranks: Communicator, task: string, given: unknown): Promise<unknown> =>
  await tasks[task as keyof typeof tasks](ranks, given as never);
