export { readCaptions } from "./captions.ts";
export {
  type Curation,
  type CurationOptions,
  curate,
  type EvaluationQuestion,
  evaluationQuestions,
  trainingRows,
} from "./curate.ts";
export { ConceptFilter, type ConceptFilterOptions, type Selection } from "./filter/concept-filter.ts";
export { captionRow, chosenRecords, coverage, metaEntry, selectCaptions } from "./filter/filter-captions.ts";
export { type CaptionRecord, captionRecords } from "./filter/records.ts";
export { asSentence } from "./grammar.ts";
export { englishReader, type Reader } from "./language.ts";
export { type QuestionType, questionTypes } from "./questions/question.ts";
export type { ConversationRow } from "./rows.ts";
export type { CaptionedPhoto } from "./scene.ts";
export { writeRows } from "./write.ts";
