import { SHARE_ENV } from "node:worker_threads";
import { threadBeside } from "../../../package.ts";
import type { ServedModel } from "../../../protocol/index.ts";
import { ModelThread, ThreadModel } from "../../../serving/thread/index.ts";
import { ensureNative, resolveModel } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import type { ModelFlags } from "../../frame/model-options.ts";
import type { EngineFlags } from "./engine.ts";
import type { EngineWorkerData } from "./engine-worker.ts";
import { warmUp } from "./warm-up.ts";

/** A thread for so many models, so that the one that answers clients waits for no step. */
export function openThread(
  flags: ModelFlags & EngineFlags,
  models: number,
  { report, warn }: Pick<CommandContext, "report" | "warn">,
): ModelThread {
  const data: EngineWorkerData = { flags, models };
  // OpenMP reads its settings from the process's own environment.
  return new ModelThread(threadBeside(import.meta, "engine-worker", data, { env: SHARE_ENV }), {
    report,
    warn,
  });
}

/** Fetches what a model is missing, where bars can show it, then has the thread load it and answer once. */
export async function openInThread(
  thread: ModelThread,
  name: string,
  { progress, report }: Pick<CommandContext, "progress" | "report">,
  signal: AbortSignal,
): Promise<ServedModel> {
  await ensureNative({ progress, report, signal });
  await resolveModel(name, { progress, report, signal });
  const model = await ThreadModel.open(thread, name, signal);
  await warmUp(model, signal);
  return model;
}
