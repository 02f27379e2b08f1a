export { countedOutcome, type Scored, type ScoreOptions, score } from "./score.ts";
export { known, listAnswers } from "./truth.ts";
