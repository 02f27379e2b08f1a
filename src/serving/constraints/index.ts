/** Answers held to JSON, a schema, an expression or a grammar, by llguidance. */

export { llguidanceCompiler } from "./compiler.ts";
