export {
  type Judged,
  type JudgedRow,
  type JudgeOptions,
  type JudgeProgress,
  judgeAnswers,
} from "./judge-answers.ts";
export { differencesOf, type JudgePromptChoice, withJudgePrompt } from "./official-prompt.ts";
export { openReplay, type Replay } from "./replay.ts";
