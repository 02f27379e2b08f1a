export { advise, type Change } from "./advice.ts";
export { type MemoryPlan, type PlanOptions, planMemory, type RowLengths } from "./plan-memory.ts";
export { recipeSizes } from "./recipe-sizes.ts";
export { renderPlan } from "./render.ts";
export { type BuiltinShape, builtinSizes, type ModelSizes, modelSizes } from "./sizes.ts";
