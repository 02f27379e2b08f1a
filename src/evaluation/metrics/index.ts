export { bleu } from "./bleu.ts";
export { captionTokens } from "./caption-tokens.ts";
export { type CiderOptions, cider, plainCider } from "./cider.ts";
export { rougeL } from "./rouge-l.ts";
export type { CorpusScore, ScoredCaption } from "./scored-caption.ts";
