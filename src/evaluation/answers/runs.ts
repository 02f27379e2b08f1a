import type { Answers } from "./answers.ts";

/**
 * Files of predictions as runs, in their order: a file whose questions none of the files before it answers is another
 * chunk of their run, as of LLaVA's `--num-chunks`; one that answers a question again, or names another model, begins
 * the next run.
 */
export function asRuns(files: readonly Answers[]): Answers[] {
  const runs: Answers[] = [];
  for (const file of files) {
    const run = runs.at(-1);
    if (run !== undefined && isOneRun(run, file)) runs[runs.length - 1] = run.join(file);
    else runs.push(file);
  }
  return runs;
}

function isOneRun(run: Answers, file: Answers): boolean {
  if (run.model !== undefined && file.model !== undefined && run.model !== file.model) return false;
  for (const ids of [file.texts, file.failures])
    for (const id of ids.keys()) if (run.texts.has(id) || run.failures.has(id)) return false;
  return true;
}
