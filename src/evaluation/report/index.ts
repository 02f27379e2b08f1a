export { loadSources } from "./load-source.ts";
export { buildReport, type ReportOptions, writeReport } from "./report.ts";
export { wilsonInterval } from "./scores.ts";
export type { ReportSource } from "./source.ts";
