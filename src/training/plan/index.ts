export { advise, type Change } from "./advice.ts";
export { type AnsweringMemory, answeringMemory } from "./answering.ts";
export { type MemoryPlan, type PlanOptions, planMemory, type RowLengths } from "./plan-memory.ts";
export { type ModelChoice, recipeSizes } from "./recipe-sizes.ts";
export { renderPlan } from "./render.ts";
export { type BuiltinShape, builtinSizes, type ModelSizes, modelSizes } from "./sizes.ts";
