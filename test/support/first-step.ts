import type { Communicator } from "../../src/distributed/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import { silentProgress } from "../../src/setup/index.ts";
import { prepareStage, type Recipe, ShardedLearner, train, WholeLearner } from "../../src/training/index.ts";

export interface FirstStep {
  readonly loss: number;
  readonly units: number;
  readonly tokens: number;
  readonly gradientNorm: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** Loss and gradients of a recipe's first step: those of this rank's pieces, where each has a part. */
export async function firstStep(recipe: Recipe, communicator?: Communicator): Promise<FirstStep> {
  const ranks = communicator && { communicator };
  using stage = await prepareStage(recipe, { progress: silentProgress, report: () => {}, ...ranks });
  const { objective, source, groups, sharded } = stage;
  using optimizer = new AdamW(groups);
  let found: FirstStep | undefined;
  const look = (metrics: Omit<FirstStep, "gradients">): undefined => {
    const { loss, units, tokens, gradientNorm } = metrics;
    const gradients = groups.flatMap(({ parameters }) =>
      [...parameters].map(([name, { grad }]) => [name, grad!.toFloat32Array()] as const),
    );
    found = { loss, units, tokens, gradientNorm, gradients: new Map(gradients) };
  };
  await train({
    learner: sharded
      ? new ShardedLearner(objective, sharded, optimizer)
      : new WholeLearner(objective, optimizer, communicator),
    source,
    schedule: () => 1,
    totalSteps: 1,
    maxGradientNorm: Infinity,
    callbacks: [{ beforeUpdate: (_, metrics) => look(metrics) }],
    ...ranks,
  });
  return found!;
}
