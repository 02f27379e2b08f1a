/** A model that answers many at once. */

export type { ConstraintCompiler, Matcher } from "./constraint.ts";
export { ServingEngine, type ServingOptions } from "./engine.ts";
