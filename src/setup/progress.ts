/** Where a long task reports how far it is. The command line draws a bar; tests pass `silentProgress`. */
export interface Progress {
  /**
   * `done` out of the total, in the unit of the task; `extra` is shown behind it. `earlier` of those were done before
   * the task began, so that rate and remaining time leave them out.
   */
  update(done: number, extra?: string, earlier?: number): void;
  increment(by?: number): void;
  stop(): void;
}

export interface ProgressOptions {
  label: string;
  /** Absent when it is not known how long the task is. */
  total?: number;
  /** "bytes" is shown as MiB; any other word is shown as it is. */
  unit: string;
}

export type ProgressFactory = (options: ProgressOptions) => Progress;

export const silentProgress: ProgressFactory = () => ({ update() {}, increment() {}, stop() {} });
