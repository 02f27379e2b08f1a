export { flickrRows } from "./captions/flickr8k.ts";
export { readCaptions } from "./captions/read-captions.ts";
export { curate, evaluationQuestions, trainingRows } from "./curate.ts";
export { captionRow, chosenRecords, coverage, metaEntry, selectCaptions } from "./filter/filter-captions.ts";
export { unanswered } from "./instruct/classify.ts";
export { type Estimate, estimate, kindsToEstimate, pilotItems, pilotPlaces } from "./instruct/estimate.ts";
export { type GenerateOptions, generateInstructions } from "./instruct/generate.ts";
export type { Box, SceneItem } from "./instruct/item.ts";
export type { FewShot, InstructionKind, Parsed, Turn } from "./instruct/kind.ts";
export { instructionKinds, type KindName, kindNames } from "./instruct/kinds.ts";
export { readOriginalPrompts } from "./instruct/original-prompts.ts";
export type { Outcome } from "./instruct/outcomes.ts";
export { turnsSchema } from "./instruct/parse-reply.ts";
export { InstructionPlan } from "./instruct/plan.ts";
export { itemHint, readItems } from "./instruct/read-items.ts";
export { type ReplyClass, replyClasses } from "./instruct/reply-class.ts";
export type { QualityReport } from "./instruct/report.ts";
export {
  askInstruct,
  collectInstructions,
  type InstructOptions,
  prepareInstruct,
} from "./instruct/run-instruct.ts";
export { writeInstructions } from "./instruct/write-instructions.ts";
export { englishReader } from "./language/english-reader.ts";
export { asSentence } from "./language/grammar.ts";
export { readQuestions } from "./preferences/asked.ts";
export type { BiasReport, Share } from "./preferences/bias-report.ts";
export type { Judgement } from "./preferences/judge-prompts.ts";
export { readLabels } from "./preferences/labels.ts";
export type { PairRule } from "./preferences/pairs.ts";
export { namingRule, type Rule } from "./preferences/rule-judge.ts";
export {
  type Asked,
  type Judge,
  type PreferenceRun,
  preferenceKinds,
  runPreferences,
} from "./preferences/run-preferences.ts";
export { writePreferences } from "./preferences/write-preferences.ts";
export { questionTypes } from "./questions/question.ts";
export { openRecaptionSource, type RecaptionItem, type RecaptionSource } from "./recaption/items.ts";
export {
  askRecaption,
  estimateRecaption,
  type MediaOf,
  planRecaption,
  type RecaptionOptions,
} from "./recaption/run-recaption.ts";
export { type RecaptionReport, writeRecaptions } from "./recaption/write-recaptions.ts";
export { scienceQaRows } from "./scienceqa.ts";
