import { constants } from "node:os";
import { CommanderError } from "commander";
import { LlavaError } from "../../errors.ts";
import type { StopSignal } from "./context.ts";
import { printable } from "./printable.ts";

/**
 * The exit status for what a command threw, after telling the user about it: 0 for --help, 2 for a wrong command
 * line, 3 where a budget ended the work, 130 for Ctrl-C, 143 for SIGTERM, 1 for everything else.
 */
export function reportFailure(
  error: unknown,
  print: (line: string) => void,
  { debug = false, stoppedBy = "SIGINT" }: { debug?: boolean; stoppedBy?: StopSignal | undefined } = {},
): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { message, hint } = describeFailure(error);
  print(`llava: ${oneLine(message)}`);
  if (hint) print(oneLine(hint));
  if (isAbort(error)) return 128 + constants.signals[stoppedBy];
  if (debug && error instanceof Error) print(error.stack ?? "");
  if (!(error instanceof LlavaError)) return 1;
  return error.code === "usage" ? 2 : error.code === "budget" ? 3 : 1;
}

/** Libraries' reasons come in several lines, and names of files in any characters. */
const oneLine = (text: string): string => printable(text.trim().replace(/\s*\n\s*/g, " "));

function isAbort(error: unknown): boolean {
  return (
    (error instanceof LlavaError && error.code === "aborted") ||
    (error as Error | undefined)?.name === "AbortError"
  );
}

function describeFailure(error: unknown): { message: string; hint: string | undefined } {
  if (error instanceof LlavaError) return { message: error.message, hint: error.hint };
  if (isAbort(error)) return { message: "stopped", hint: undefined };
  const message = error instanceof Error ? error.message : String(error);
  return { message, hint: "This was not expected; LLAVA_DEBUG=1 shows where it comes from." };
}
