export { flickrRows } from "./captions/flickr8k.ts";
export { readCaptions } from "./captions/read-captions.ts";
export type { CaptionedPhoto } from "./captions/scene.ts";
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
export { englishReader, type Reader } from "./language/english-reader.ts";
export { asSentence } from "./language/grammar.ts";
export { type QuestionType, questionTypes } from "./questions/question.ts";
export type { ConversationRow } from "./rows.ts";
export { scienceQaRows } from "./scienceqa.ts";
