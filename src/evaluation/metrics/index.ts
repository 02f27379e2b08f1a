export { type AccuracyOptions, accuracyByLabel } from "./accuracy-by-label.ts";
export { anls } from "./anls.ts";
export { type BleuCounts, bleuCounts, bleuOf } from "./bleu.ts";
export {
  CaptionCorpus,
  type CaptionedItem,
  captionDifferences,
  captionMetrics,
  captionOutcome,
} from "./caption-scores.ts";
export { captionTokens } from "./caption-tokens.ts";
export { type CiderOptions, ciderOf, DocumentFrequencies, plainCider } from "./cider.ts";
export { percentage } from "./percentage.ts";
export { rougeLOf } from "./rouge-l.ts";
export { mean, type ScoredCaption } from "./scored-caption.ts";
export { textVqaCredit, vqaCredit } from "./vqa-accuracy.ts";
export { installedWordNet, WordNet } from "./wordnet.ts";
export { WuPalmer } from "./wu-palmer.ts";
export { type WordSimilarity, wups } from "./wups.ts";
