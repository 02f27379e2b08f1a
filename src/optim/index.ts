export { AdamW, decayGroups, type ParameterGroup } from "./adamw.ts";
export { clipGradNorm } from "./clip.ts";
export { constantSchedule, cosineSchedule, linearSchedule, type Schedule } from "./schedule.ts";
