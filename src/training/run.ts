import { existsSync } from "node:fs";
import { join } from "node:path";
import { alone } from "../distributed/index.ts";
import { LlavaError } from "../errors.ts";
import { makeFolder, writeAtomically } from "../files/index.ts";
import { AdamW, constantSchedule, cosineSchedule, linearSchedule } from "../optim/index.ts";
import { fromTyped, scope, type Tensor } from "../torch/index.ts";
import { checkpoints } from "./callbacks/checkpoints.ts";
import { periodically } from "./callbacks/evaluation.ts";
import { Guards } from "./callbacks/guards.ts";
import { type LogEntry, RunLog, stepLog } from "./callbacks/log.ts";
import { progressBar } from "./callbacks/progress-bar.ts";
import { EventFile } from "./callbacks/tensorboard.ts";
import { copyWeights, type Learner, WholeLearner } from "./learner.ts";
import type { Batch } from "./objectives/index.ts";
import { type Recipe, type RecipeFields, resolveRecipe } from "./recipe/recipe.ts";
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
  /** What was trained; absent when the run was stopped before its end, and on all ranks but the first. */
  readonly result: string | undefined;
}

/**
 * Trains what a recipe says. The output folder receives recipe.json, log.jsonl, TensorBoard events, checkpoints/ and the
 * result, all of them written by the first rank.
 */
export async function runRecipe(given: Recipe, options: RunOptions): Promise<RunResult> {
  const { progress, signal, communicator = alone } = options;
  const isFirst = communicator.rank === 0;
  const report = isFirst ? options.report : () => {};
  const { output } = given;
  const folder = join(output, "checkpoints");
  const saved = options.resume ? latestCheckpoint(folder, report) : undefined;
  if (!options.resume && existsSync(folder))
    throw new LlavaError("usage", `${output} already holds a run`, {
      hint: "Go on with --resume, or choose another --output.",
    });
  const begun = saved && resolveRecipe(saved.recipe as RecipeFields); // a field that is newer has its default there
  const recipe = settled(given, begun);
  if (begun) requireSameRecipe(begun, recipe, output);
  report(renderComputing(computing(given, begun)));

  using stage = await prepareStage(recipe, { ...options, report });
  const { source, objective, generator, groups, measured } = stage;
  const { learningRate, betas, epsilon } = recipe.optimizer;
  using optimizer = new AdamW(groups, { betas, epsilon });
  const learner = new WholeLearner(objective, optimizer, communicator);
  const totalSteps = Math.min(recipe.maxSteps ?? Infinity, Math.ceil(recipe.epochs * source.stepsPerEpoch));
  const guards = new Guards(recipe.guards, report);
  if (saved) restore(saved, stage, learner, guards);
  let evaluated = { step: -1, heldOutLoss: Infinity };
  const capture = (step: number): RunState => {
    const { weights, optimizer } = learner.state();
    return {
      step,
      weights: new Map([...weights, ...measured]),
      optimizer,
      source: source.state,
      generator: scope(() => generator.state().toBytes()),
      recipe,
      guards: guards.state,
      heldOutLoss: evaluated.step === step ? evaluated.heldOutLoss : undefined,
    };
  };
  const writers = async (): Promise<Callback[]> => {
    makeFolder(output); // not before: a recipe that cannot run leaves nothing behind
    writeAtomically(join(output, "recipe.json"), [`${JSON.stringify(recipe, null, 2)}\n`]);
    const sinks = [
      new RunLog(join(output, "log.jsonl"), saved?.step ?? 0),
      await EventFile.create(output, saved?.step ?? 0),
    ];
    const log = { write: (entry: LogEntry) => sinks.forEach((sink) => void sink.write(entry)) };
    const heldOut = (step: number): void => {
      const { measures, summary } = stage.evaluate();
      evaluated = { step, heldOutLoss: measures.heldOutLoss };
      log.write({ step, ...measures });
      report(`step ${step}: ${summary}`);
    };
    return [
      stepLog(log, learningRates(recipe)),
      ...(recipe.evaluation ? [periodically(recipe.evaluation.every, heldOut)] : []),
      checkpoints(folder, capture, recipe.checkpoint),
      progressBar(progress, learningRate),
    ];
  };
  const watching: Callback = {
    afterStep: ({ step, totalSteps }, { measures }) => stage.watch?.({ step, totalSteps, measures }),
  };
  const written = isFirst ? await writers() : [];
  report(
    `${count(learner.state().weights)} weights to train, ${recipe.batchSize} rows a step, ` +
      `${totalSteps} steps${saved ? `, going on after step ${saved.step}` : ""}`,
  );
  const step = await train({
    learner,
    source,
    communicator,
    schedule: schedules[recipe.schedule.type]({
      total: totalSteps,
      warmupRatio: recipe.schedule.warmupRatio,
    }),
    totalSteps,
    startStep: saved?.step ?? 0,
    maxGradientNorm: recipe.maxGradientNorm,
    callbacks: [guards, watching, ...written, ...(options.callbacks ?? [])],
    ...(signal && { signal }),
  });
  const isWhole = step === totalSteps;
  const result = isWhole && isFirst ? writeResult(stage, recipe, step) : undefined;
  communicator.barrier(); // what the first rank wrote is there when any of them returns
  return { step, totalSteps, result };
}

function restore<B extends Batch>(
  saved: RunState,
  { measured, source, generator }: Stage<B>,
  learner: Learner<B>,
  guards: Guards,
): void {
  learner.load(saved);
  copyWeights(saved, measured);
  source.state = saved.source;
  if (saved.guards !== undefined) guards.state = saved.guards;
  scope(() => generator.setState(fromTyped(saved.generator, { dtype: "uint8" })));
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
