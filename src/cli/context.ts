import type { Command } from "commander";
import type { ProgressFactory } from "../setup/index.ts";

/** What the frame gives to every command. */
export interface CommandContext {
  /** A bar on stderr, or nothing with --quiet. */
  progress: ProgressFactory;
  /** A line on stderr about what is being done, or nothing with --quiet. */
  report(line: string): void;
  /**
   * Aborts at the first Ctrl-C, so that work can stop at a clean point; the second ends the process. A command that
   * never asks for it ends at the first.
   */
  signal(): AbortSignal;
}

/** A file of commands/: adds the arguments, options, example and action of its command. */
export interface CommandModule {
  configure(command: Command, context: CommandContext): void;
}

export function createContext(
  progress: ProgressFactory,
  report: (line: string) => void,
): CommandContext & Disposable {
  let controller: AbortController | undefined;
  const abort = (): void => controller?.abort();
  const signal = (): AbortSignal => {
    if (!controller) {
      controller = new AbortController();
      process.once("SIGINT", abort);
    }
    return controller.signal;
  };
  return { progress, report, signal, [Symbol.dispose]: () => void process.off("SIGINT", abort) };
}
