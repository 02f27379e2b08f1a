export { Answers } from "./answers.ts";
export { readAnswers } from "./read-answers.ts";
export { readVerdicts, type Verdicts } from "./read-verdicts.ts";
export { type AnswerRow, writeAnswers } from "./write-answers.ts";
