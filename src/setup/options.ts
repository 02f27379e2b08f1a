import type { Environment } from "./cache.ts";
import type { ProgressFactory } from "./progress.ts";

/** What everything that installs or downloads accepts. */
export interface SetupOptions {
  /** Default: this process's environment. */
  env?: Environment;
  /** Default: no progress is shown. */
  progress?: ProgressFactory;
  /** One line for the user about what happens now. */
  report?: (line: string) => void;
  signal?: AbortSignal;
}
