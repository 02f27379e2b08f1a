export {
  type Judged,
  type JudgedRow,
  type JudgeOptions,
  type JudgeProgress,
  judgeAnswers,
} from "./judge-answers.ts";
export { openReplay, type Replay } from "./replay.ts";
