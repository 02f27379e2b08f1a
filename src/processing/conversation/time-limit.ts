import { type Context, createContext, Script } from "node:vm";

const call = new Script("body()");
let context: Context | undefined;

/**
 * Runs synchronous work that someone else wrote (a template's loops) and ends it after `milliseconds`, whatever it does.
 * @throws Error with code ERR_SCRIPT_EXECUTION_TIMEOUT when the time is up
 */
export function withinTime<T>(milliseconds: number, body: () => T): T {
  context ??= createContext();
  context["body"] = body;
  try {
    return call.runInContext(context, { timeout: milliseconds }) as T;
  } finally {
    context["body"] = undefined;
  }
}

export const isTimeUp = (error: unknown): boolean =>
  (error as { code?: unknown } | undefined)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
