/** Runs in the thread that `openThread` starts: opens models with their engines, and has them answer. */
import { parentPort, workerData } from "node:worker_threads";
import { hostModels, type ToldTogether } from "../../../serving/thread/index.ts";
import { silentProgress } from "../../../setup/index.ts";
import { type ModelFlags, openModel } from "../../frame/model-options.ts";
import { type EngineFlags, openEngine } from "./engine.ts";

export interface EngineWorkerData {
  readonly flags: ModelFlags & EngineFlags;
  /** How many models share the memory. */
  readonly models: number;
}

const { flags, models } = workerData as EngineWorkerData;
const port = parentPort!;
const report = (line: string) => port.postMessage([{ report: line }] satisfies ToldTogether);
const warn = (line: string) => port.postMessage([{ warn: line }] satisfies ToldTogether);

hostModels(port, async (name, stack, signal) => {
  const local = stack.use(await openModel(name, flags, { progress: silentProgress, report, warn }, signal));
  return stack.use(await openEngine(local, flags, { models, report }));
});
