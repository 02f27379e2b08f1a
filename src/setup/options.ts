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

export interface ResolveOptions extends SetupOptions {
  /** Use only what is on this machine. */
  offline?: boolean;
  /** False: only what describes the model is needed, such as configuration, tokenizer and chat template. */
  weights?: boolean;
  /** A branch, tag or commit of a model on the hub, as "@revision" behind its name is. */
  revision?: string;
  /** Ask the hub for the revision's newest commit, even where one is here. */
  refresh?: boolean;
}
