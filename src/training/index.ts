export { latestCheckpoint, type RunState, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
export { computing, renderComputing, settled } from "./computing.ts";
export type { Batch, BatchSource, Objective } from "./objectives/objective.ts";
export { type SupervisedBatch, SupervisedObjective } from "./objectives/supervised.ts";
export { type Outline, type OutlinedGroup, outlineRecipe, renderOutline } from "./outline.ts";
export { type Override, parseOverrides } from "./overrides.ts";
export {
  type LabelledIds,
  type PackedBatch,
  type PackingSample,
  packSamples,
  shareTrunk,
} from "./packing.ts";
export {
  advise,
  type Change,
  type MemoryPlan,
  type ModelSizes,
  modelSizes,
  type PlanOptions,
  planMemory,
  type RowLengths,
  recipeSizes,
  renderPlan,
} from "./plan/index.ts";
export { type Recipe, type RecipeFields, recipe, resolveRecipe } from "./recipe.ts";
export { type RunOptions, type RunResult, runRecipe } from "./run.ts";
export { type Callback, type Run, type StepMetrics, type TrainerOptions, train } from "./trainer.ts";
