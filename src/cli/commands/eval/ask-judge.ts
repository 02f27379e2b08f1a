import type { Benchmark, Judged, RunFiles, Verdict } from "../../../evaluation/index.ts";
import { writeAtomically } from "../../../files/index.ts";
import type { Price, SamplingOptions } from "../../../protocol/index.ts";
import type { Answerer, RetryOptions, Store } from "../../../runner/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { showCost } from "../../frame/endpoint-options.ts";

export interface JudgeTask {
  readonly benchmark: Benchmark;
  readonly load: {
    readonly data: string;
    readonly split?: string | undefined;
    readonly compat?: boolean | undefined;
  };
  readonly answers: ReadonlyMap<string, string>;
  /** Verdicts that came with the answers: these are not asked for. */
  readonly given?: ReadonlyMap<string, Verdict> | undefined;
  readonly judge: Answerer;
  /** Replies of an earlier run; the run's own store when left out. */
  readonly store?: Store | undefined;
  readonly files: RunFiles;
  readonly rounds?: number | undefined;
  readonly sampling?: SamplingOptions | undefined;
  readonly retry?: RetryOptions | undefined;
  readonly price?: Price | undefined;
}

/** Asks the judge what the store lacks, and writes the file of verdicts. */
export async function askJudge(
  task: JudgeTask,
  { progress, report, signal }: CommandContext,
): Promise<Judged> {
  const [{ AnswerStore }, { judgeAnswers }] = await Promise.all([
    import("../../../runner/index.ts"),
    import("../../../evaluation/index.ts"),
  ]);
  const { benchmark, load, files, price } = task;
  await using own = task.store === undefined ? await AnswerStore.open(files.replies) : undefined;
  let bar: ReturnType<typeof progress> | undefined;
  let shownRound = 0;
  let judged: Judged;
  try {
    judged = await judgeAnswers({
      ...task,
      load,
      store: task.store ?? own!,
      signal: signal(),
      onProgress({ total, round, asked, found, failed, usage }) {
        if (round !== shownRound) {
          bar?.stop();
          bar = progress({
            label: `${benchmark.name}, judge${round > 1 ? ` again (${round})` : ""}`,
            total,
            unit: "answers",
          });
          shownRound = round;
        }
        bar?.update(asked + found + failed, showCost(usage, price), found);
      },
    });
  } finally {
    bar?.stop();
  }
  writeAtomically(
    files.verdicts,
    judged.rows.map((row) => `${JSON.stringify(row)}\n`),
    { code: "data", makesFolder: true },
  );
  const { read, unreadable, failed } = judged.judging;
  const inTime = read.reduce((sum, count) => sum + count, 0);
  report(
    `${files.verdicts}: ${inTime} verdicts of ${judged.judge}, ${unreadable} replies not readable, ${failed} without a reply`,
  );
  return judged;
}
