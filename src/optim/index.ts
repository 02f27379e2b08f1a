export { AdamW, type AdamWOptions, decayGroups, type ParameterGroup } from "./adamw.ts";
export { clipGradNorm } from "./clip.ts";
export {
  constantSchedule,
  cosineSchedule,
  linearSchedule,
  type Schedule,
  type ScheduleOptions,
} from "./schedule.ts";
