import { existsSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, writeAtomically } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { AdamW, constantSchedule, cosineSchedule, linearSchedule } from "../optim/index.ts";
import { aten, fromTyped, noGrad, scope, type Tensor } from "../torch/index.ts";
import { checkpoints } from "./callbacks/checkpoints.ts";
import { evaluate, periodically } from "./callbacks/evaluation.ts";
import { type GuardState, Guards } from "./callbacks/guards.ts";
import { type LogEntry, RunLog, stepLog } from "./callbacks/log.ts";
import { progressBar } from "./callbacks/progress-bar.ts";
import { EventFile } from "./callbacks/tensorboard.ts";
import type { SupervisedBatch } from "./objectives/supervised/objective.ts";
import type { Recipe } from "./recipe/recipe.ts";
import { requireSameRecipe } from "./recipe/same-recipe.ts";
import { latestCheckpoint, type RunState } from "./run-state.ts";
import { computing, renderComputing, settled } from "./stage/placement.ts";
import { writeResult } from "./stage/result.ts";
import { prepareStage, type Stage, type Surroundings } from "./stage/stage.ts";
import { type Callback, train } from "./trainer.ts";

const schedules = { cosine: cosineSchedule, linear: linearSchedule, constant: constantSchedule };

export interface RunOptions extends Surroundings {
  /** Go on after the newest checkpoint in the output folder; without one, start. */
  readonly resume?: boolean;
  /** Called after the run's own. */
  readonly callbacks?: readonly Callback[];
}

export interface RunResult {
  /** Steps done, and of how many. */
  readonly step: number;
  readonly totalSteps: number;
  /** What was trained; absent when the run was stopped before its end. */
  readonly result: string | undefined;
}

/** Trains what a recipe says. The output folder receives recipe.json, log.jsonl, TensorBoard events, checkpoints/ and the result. */
export async function runRecipe(given: Recipe, options: RunOptions): Promise<RunResult> {
  const { report, progress, signal } = options;
  const { output } = given;
  const folder = join(output, "checkpoints");
  const saved = options.resume ? latestCheckpoint(folder, report) : undefined;
  if (!options.resume && existsSync(folder))
    throw new LlavaError("usage", `${output} already holds a run`, {
      hint: "Go on with --resume, or choose another --output.",
    });
  const begun = saved?.recipe as Recipe | undefined;
  const recipe = settled(given, begun);
  if (begun) requireSameRecipe(begun, recipe, output);
  report(renderComputing(computing(given, begun)));

  using stage = await prepareStage(recipe, options);
  makeFolder(output); // not before: a recipe that cannot run leaves nothing behind
  const { source, objective, generator, groups, measured } = stage;
  const { learningRate, betas, epsilon } = recipe.optimizer;
  using optimizer = new AdamW(groups, { betas, epsilon });
  const trainable = new Map(groups.flatMap(({ parameters }) => [...parameters]));
  const totalSteps = Math.min(recipe.maxSteps ?? Infinity, Math.ceil(recipe.epochs * source.stepsPerEpoch));
  const guards = new Guards(recipe.guards, report);
  if (saved) restore(saved, stage, optimizer, guards);
  const weights = new Map([...trainable, ...measured]);
  let evaluated = { step: -1, heldOutLoss: Infinity };
  const capture = (step: number): RunState => ({
    step,
    weights,
    optimizer: optimizer.state(),
    source: source.state,
    generator: scope(() => generator.state().toBytes()),
    recipe,
    guards: guards.state,
    heldOutLoss: evaluated.step === step ? evaluated.heldOutLoss : undefined,
  });

  writeAtomically(join(output, "recipe.json"), [`${JSON.stringify(recipe, null, 2)}\n`]);
  const sinks = [
    new RunLog(join(output, "log.jsonl"), saved?.step ?? 0),
    await EventFile.create(output, saved?.step ?? 0),
  ];
  const log = { write: (entry: LogEntry) => sinks.forEach((sink) => void sink.write(entry)) };
  report(
    `${count(trainable)} weights to train, ${recipe.batchSize} rows a step, ` +
      `${totalSteps} steps${saved ? `, going on after step ${saved.step}` : ""}`,
  );
  const heldOut = (step: number): void => {
    const heldOutLoss = evaluate(objective, stage.heldOut);
    const mismatchedLoss = evaluateMismatched(stage);
    evaluated = { step, heldOutLoss };
    log.write({ step, heldOutLoss, mismatchedLoss });
    report(
      `step ${step}: held-out loss ${heldOutLoss.toFixed(4)}, ${mismatchedLoss.toFixed(4)} with another image`,
    );
  };
  const step = await train({
    objective,
    source,
    optimizer,
    schedule: schedules[recipe.schedule.type]({
      total: totalSteps,
      warmupRatio: recipe.schedule.warmupRatio,
    }),
    totalSteps,
    startStep: saved?.step ?? 0,
    maxGradientNorm: recipe.maxGradientNorm,
    callbacks: [
      guards,
      stepLog(log, learningRates(recipe)),
      ...(recipe.evaluation ? [periodically(recipe.evaluation.every, heldOut)] : []),
      checkpoints(folder, capture, recipe.checkpoint),
      progressBar(progress, learningRate),
      ...(options.callbacks ?? []),
    ],
    ...(signal && { signal }),
  });
  if (step < totalSteps) return { step, totalSteps, result: undefined };
  return { step, totalSteps, result: writeResult(stage, recipe, step) };
}

function restore(
  saved: RunState,
  { groups, measured, source, generator }: Stage,
  optimizer: AdamW,
  guards: Guards,
): void {
  noGrad(() => {
    for (const [name, tensor] of [...groups.flatMap(({ parameters }) => [...parameters]), ...measured]) {
      const stored = saved.weights.get(name);
      if (!stored) throw new LlavaError("checkpoint", `the checkpoint of step ${saved.step} lacks ${name}`);
      tensor.copy_(stored);
    }
  });
  optimizer.load(saved.optimizer);
  source.state = saved.source as Stage["source"]["state"];
  if (saved.guards !== undefined) guards.state = saved.guards as GuardState;
  scope(() => generator.setState(fromTyped(saved.generator, { dtype: "uint8" })));
}

/** How much the loss rises when every image's features are exchanged for its neighbour's: 0 if they are not looked at. */
function evaluateMismatched({ objective, heldOut }: Stage): number {
  const exchanged = heldOut.map(
    (batch): SupervisedBatch => ({ ...batch, images: batch.images && aten.roll(batch.images, [1], [0]) }),
  );
  try {
    return evaluate(objective, exchanged);
  } finally {
    for (const { images } of exchanged) images?.dispose();
  }
}

/** Those that the recipe names, under its names. */
const learningRates = ({ optimizer }: Recipe): Record<string, number> =>
  Object.fromEntries(
    (["learningRate", "projectorLearningRate", "visionTowerLearningRate"] as const).flatMap((name) =>
      optimizer[name] === undefined ? [] : [[name, optimizer[name]]],
    ),
  );

const count = (parameters: ReadonlyMap<string, Tensor>): number =>
  [...parameters.values()].reduce((sum, { elements }) => sum + elements, 0);
