export { flickrRows } from "./captions/flickr8k.ts";
export { readCaptions } from "./captions/read-captions.ts";
export { curate, evaluationQuestions, trainingRows } from "./curate.ts";
export { captionRow, chosenRecords, coverage, metaEntry, selectCaptions } from "./filter/filter-captions.ts";
export { englishReader } from "./language/english-reader.ts";
export { asSentence } from "./language/grammar.ts";
export { questionTypes } from "./questions/question.ts";
export { scienceQaRows } from "./scienceqa.ts";
