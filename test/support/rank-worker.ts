// One rank of several that are threads of a process (thread-ranks.ts).
import { parentPort, workerData } from "node:worker_threads";
import { sumNumbers } from "../../src/distributed/index.ts";
import { clipGradNorm } from "../../src/optim/index.ts";
import { scope, tensor } from "../../src/torch/index.ts";
import { type Recipe, runRecipe } from "../../src/training/index.ts";
import { firstStep } from "./first-step.ts";
import { ThreadRank } from "./thread-ranks.ts";

const { rank, size, shared, task, given } = workerData;
const ranks = new ThreadRank(rank, size, shared);

/** Each rank's numbers are its own: 10 · rank + 0, 1, 2, 3. */
function collectives() {
  return scope(() => {
    const own = () => tensor([0, 1, 2, 3].map((i) => 10 * rank + i));
    const [summed, other] = [own(), tensor([rank])];
    ranks.sum([summed, other]);
    return {
      sum: [summed.toNumbers(), other.toNumbers()],
      gathered: ranks.gather(own()).toNumbers(),
      scattered: ranks.scatter(own()).toNumbers(),
      numbers: sumNumbers(ranks, [0.1, rank]),
    };
  });
}

/** `given`: the gradients of each rank. */
function clip() {
  const parameters = (given[rank] as number[][]).map((gradient) => {
    const parameter = tensor(gradient).requiresGrad_();
    parameter.grad = tensor(gradient);
    return parameter;
  });
  const norm = clipGradNorm(parameters, 1, ranks);
  return { norm, clipped: parameters.map(({ grad }) => grad!.toNumbers()) };
}

/** Trains a recipe; the last rank stops after `stopAfter` steps, if that is given. */
async function run() {
  const { recipe, stopAfter } = given as { recipe: Recipe; stopAfter?: number };
  const stop = new AbortController();
  const seen: number[] = [];
  const callback = {
    afterStep: ({ step }: { step: number }, metrics: { loss: number }) => {
      seen.push(metrics.loss);
      if (step === stopAfter && rank === size - 1) stop.abort();
    },
  };
  const silent = () => ({ update() {}, increment() {}, stop() {} });
  const lines: string[] = [];
  const { step, result } = await runRecipe(recipe, {
    communicator: ranks,
    callbacks: [callback],
    signal: stop.signal,
    report: (line) => lines.push(line),
    progress: silent,
  });
  return { step, result, lines: lines.length, losses: seen };
}

const tasks: Readonly<Record<string, () => unknown>> = {
  collectives,
  clip,
  run,
  step: () => firstStep(given as Recipe, ranks),
};
parentPort!.postMessage(await tasks[task]!());
