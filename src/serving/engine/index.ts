/** A model that answers many at once. */

export type { ConstraintCompiler, Matcher } from "./constraint.ts";
export { ServingEngine } from "./engine.ts";
export type { ServingOptions } from "./options.ts";
