export type { WrittenLayout } from "./configuration.ts";
export { type ConversionReport, convertModel, requireFreeFolder } from "./convert.ts";
