export type { NamedFields } from "./answer-field.ts";
export { Answers } from "./answers.ts";
export { type ReadAnswersOptions, readAnswerFiles, readAnswers } from "./read-answers.ts";
export { readVerdicts, type Verdicts } from "./read-verdicts.ts";
export { asRuns } from "./runs.ts";
export { type AnswerRow, writeAnswers } from "./write-answers.ts";
