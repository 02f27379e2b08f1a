export { ggufPair } from "../gguf-pair.ts";
export { describeGguf } from "./describe.ts";
