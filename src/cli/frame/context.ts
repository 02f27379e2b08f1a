import type { Command } from "commander";
import type { ProgressFactory } from "../../setup/index.ts";
import { printable } from "./printable.ts";

/** What the frame gives to every command. */
export interface CommandContext {
  /** A bar on stderr, or nothing with --quiet. */
  progress: ProgressFactory;
  /** A line on stderr about what is being done, or nothing with --quiet. */
  report(line: string): void;
  /** A line on stderr about something that was likely not meant; also with --quiet. */
  warn(line: string): void;
  /**
   * Aborts at the first Ctrl-C or SIGTERM, so that work can stop at a clean point; the second ends the process. A command
   * that never asks for it ends at the first.
   */
  signal(): AbortSignal;
  /** What `signal` aborted for. */
  readonly stoppedBy: StopSignal | undefined;
}

export type StopSignal = "SIGINT" | "SIGTERM";
const stopSignals = ["SIGINT", "SIGTERM"] as const;

/** A file of commands/: adds the arguments, options, example and action of its command. */
export interface CommandModule {
  configure(command: Command, context: CommandContext): void;
}

export function createContext(
  progress: ProgressFactory,
  report: (line: string) => void,
): CommandContext & Disposable {
  let controller: AbortController | undefined;
  let stoppedBy: StopSignal | undefined;
  const abort = (signal: StopSignal): void => {
    stoppedBy ??= signal;
    controller?.abort();
  };
  return {
    progress,
    report,
    warn: (line) => console.error(printable(line)),
    signal: () => {
      if (!controller) {
        controller = new AbortController();
        for (const signal of stopSignals) process.once(signal, abort);
      }
      return controller.signal;
    },
    get stoppedBy() {
      return stoppedBy;
    },
    [Symbol.dispose]: () => {
      for (const signal of stopSignals) process.off(signal, abort);
    },
  };
}
