export {
  type LabelledIds,
  type PackedBatch,
  type PackingSample,
  packSamples,
  placeAttention,
  sharePrefix,
} from "./batches/packing.ts";
export type { RowBatch } from "./batches/row-batch.ts";
export { type Learner, type LearnerState, type StepLoss, WholeLearner } from "./learner.ts";
export { type Batch, type BatchSource, type Objective, SupervisedObjective } from "./objectives/index.ts";
export { type ScoredPair, type ScorePairsOptions, scorePairs } from "./objectives/preference/score-pairs.ts";
export {
  type AnsweringMemory,
  advise,
  answeringMemory,
  type Change,
  type Cluster,
  clusterOf,
  fastestShape,
  type MemoryPlan,
  type ModelChoice,
  type ModelSizes,
  modelSizes,
  type PlanOptions,
  perMachine,
  planMemory,
  planRun,
  type RowLengths,
  type RunPlan,
  type RunShape,
  recipeSizes,
  renderPlan,
  renderRun,
  type StepOptions,
  type StepPlan,
} from "./plan/index.ts";
export { type Outline, type OutlinedGroup, outlineRecipe, renderOutline } from "./plan/outline.ts";
export { type Override, parseOverrides } from "./recipe/overrides.ts";
export { type Recipe, type RecipeFields, recipe, resolveRecipe } from "./recipe/recipe.ts";
export { type RunOptions, type RunResult, runRecipe } from "./run.ts";
export { latestCheckpoint, type RunState, readCheckpoint, writeCheckpoint } from "./run-state.ts";
export { ShardedLearner } from "./sharding/sharded-learner.ts";
export { computing, renderComputing, settled } from "./stage/placement.ts";
export { prepareStage, type Stage } from "./stage/stage.ts";
export { type Callback, type Run, type StepMetrics, type TrainerOptions, train } from "./trainer.ts";
