import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { alone, type Communicator, exchange } from "../distributed/index.ts";
import { LlavaError } from "../errors.ts";
import { makeFolder, writeAtomically } from "../files/index.ts";
import { AdamW, constantSchedule, cosineSchedule, linearSchedule } from "../optim/index.ts";
import { mixSeed } from "../random/index.ts";
import { fromTyped, Generator, scope } from "../torch/index.ts";
import { checkpoints } from "./callbacks/checkpoints.ts";
import { periodically } from "./callbacks/evaluation.ts";
import { Guards } from "./callbacks/guards.ts";
import { type LogEntry, type LogSink, RunLog, stepLog } from "./callbacks/log.ts";
import { progressBar } from "./callbacks/progress-bar.ts";
import { Stragglers } from "./callbacks/stragglers.ts";
import { EventFile } from "./callbacks/tensorboard.ts";
import { copyWeights, type Learner, WholeLearner } from "./learner.ts";
import type { Batch } from "./objectives/index.ts";
import { type Recipe, type RecipeFields, resolveRecipe } from "./recipe/recipe.ts";
import { requireSameRecipe } from "./recipe/same-recipe.ts";
import { latestCheckpoint, type RunState, unseen, writeCheckpoint } from "./run-state.ts";
import { ShardedLearner } from "./sharding/sharded-learner.ts";
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
  const saved = options.resume ? latestCheckpoint(folder, report, communicator) : undefined;
  if (!options.resume && existsSync(folder))
    throw new LlavaError("usage", `${output} already holds a run`, {
      hint: "Go on with --resume, or choose another --output.",
    });
  const begun = saved && resolveRecipe(saved.recipe as RecipeFields); // a field that is newer has its default there
  const [recipe] = exchange(communicator, settled(given, begun)) as [Recipe]; // machines may be fastest in other types
  if (begun) requireSameRecipe(begun, recipe, output);
  report(renderComputing(computing(given, begun)));

  using stage = await prepareStage(recipe, { ...options, report });
  const { source, objective, generator, groups, measured } = stage;
  const { learningRate, betas, epsilon } = recipe.optimizer;
  using optimizer = new AdamW(groups, { betas, epsilon });
  const { sharded } = stage;
  const learner = sharded
    ? new ShardedLearner(objective, sharded, optimizer)
    : new WholeLearner(objective, optimizer, communicator);
  const totalSteps = Math.min(recipe.maxSteps ?? Infinity, Math.ceil(recipe.epochs * source.stepsPerEpoch));
  const guards = new Guards(recipe.guards, report);
  if (communicator.rank > 0) reseed(generator, recipe.seed, communicator.rank); // all began alike
  if (saved) restore(saved, stage, learner, guards, communicator);
  let evaluated = { step: -1, heldOutLoss: Infinity };
  const capture = (step: number): RunState => {
    const { weights, optimizer } = learner.state();
    return {
      step,
      weights: new Map([...weights, ...(isFirst ? measured : [])]),
      optimizer,
      source: source.state,
      generators: exchange(
        communicator,
        scope(() => generator.state().toBytes()),
      ),
      recipe,
      guards: guards.state,
      heldOutLoss: evaluated.step === step ? evaluated.heldOutLoss : undefined,
    };
  };
  const writers = async (): Promise<{ log: LogSink; lines: Callback; bar: Callback }> => {
    makeFolder(output); // not before: a recipe that cannot run leaves nothing behind
    writeAtomically(join(output, "recipe.json"), [`${JSON.stringify(recipe, null, 2)}\n`]);
    const sinks = [
      new RunLog(join(output, "log.jsonl"), saved?.step ?? 0),
      await EventFile.create(output, saved?.step ?? 0),
    ];
    const log = { write: (entry: LogEntry) => sinks.forEach((sink) => void sink.write(entry)) };
    return { log, lines: stepLog(log, learningRates(recipe)), bar: progressBar(progress, learningRate) };
  };
  const watching: Callback = {
    afterStep: ({ step, totalSteps }, { measures }) => stage.watch?.({ step, totalSteps, measures }),
  };
  const written = isFirst ? await writers() : undefined;
  communicator.barrier();
  if (sharded && !existsSync(output)) throw unseen(communicator, output);
  const heldOut = (step: number): void => {
    const { measures, summary } = stage.evaluate();
    evaluated = { step, heldOutLoss: measures.heldOutLoss };
    written?.log.write({ step, ...measures });
    report(`step ${step}: ${summary}`);
    communicator.barrier(); // for as long as the first rank writes
  };
  const save = (step: number): void => {
    const state = capture(step);
    if (sharded) writeCheckpoint(folder, state, recipe.checkpoint, sharded.ranks);
    else if (isFirst) writeCheckpoint(folder, state, recipe.checkpoint);
    communicator.barrier();
  };
  const stragglers = new Stragglers(exchange(communicator, hostname()), report);
  report(
    `${stage.learning} weights to train, ${recipe.batchSize} rows a step, ` +
      `${communicator.size > 1 ? `${communicator.size} ranks, ` : ""}${totalSteps} steps${saved ? `, going on after step ${saved.step}` : ""}`,
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
    callbacks: [
      ...[guards, watching, stragglers, ...(written ? [written.lines] : [])],
      ...(recipe.evaluation ? [periodically(recipe.evaluation.every, heldOut)] : []),
      checkpoints(save, recipe.checkpoint.every),
      ...(written ? [written.bar] : []),
      ...(options.callbacks ?? []),
    ],
    ...(signal && { signal }),
  });
  const isWhole = step === totalSteps;
  const result = isWhole && (isFirst || sharded) ? writeResult(stage, recipe, step) : undefined;
  communicator.barrier(); // what the first rank wrote is there when any of them returns
  return { step, totalSteps, result };
}

function restore<B extends Batch>(
  saved: RunState,
  { measured, source, generator }: Stage<B>,
  learner: Learner<B>,
  guards: Guards,
  { rank, size }: Communicator,
): void {
  learner.load(saved);
  copyWeights(saved, measured);
  source.state = saved.source;
  if (saved.guards !== undefined) guards.state = saved.guards;
  const { generators } = saved;
  const state = rank === 0 || generators.length === size ? generators[rank] : undefined;
  if (state === undefined) reseed(generator, saved.step, rank);
  else scope(() => generator.setState(fromTyped(state, { dtype: "uint8" })));
}

/** Makes a rank's random numbers its own. */
function reseed(generator: Generator, ...seeds: number[]): void {
  using other = new Generator(mixSeed(...seeds));
  scope(() => generator.setState(other.state()));
}

/** Those that the recipe names, under its names. */
const learningRates = ({ optimizer }: Recipe): Record<string, number> =>
  Object.fromEntries(
    (["learningRate", "projectorLearningRate", "visionTowerLearningRate"] as const).flatMap((name) =>
      optimizer[name] === undefined ? [] : [[name, optimizer[name]]],
    ),
  );
