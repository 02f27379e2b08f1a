import { LlavaError } from "../../errors.ts";
import type { SamplingOptions } from "../../protocol/index.ts";
import type { Answers, Verdicts } from "../answers/index.ts";
import type {
  Benchmark,
  BenchmarkItem,
  DatasetOptions,
  JudgeProtocol,
  Outcome,
  Verdict,
} from "../benchmark.ts";
import { differencesOf } from "../judge/official-prompt.ts";
import { flattenPrompt, PromptHash } from "../prompting/index.ts";
import { type BootstrapOptions, bootstrap } from "../results/bootstrap.ts";
import type { Counts, Judging, OutcomeRow, Result, RunFacts } from "../results/result.ts";
import { LabelTables } from "../results/tables.ts";
import { readVersions } from "../results/versions.ts";
import { AskedIds } from "./asked-ids.ts";
import { RepliesReadAgain } from "./replies-read-again.ts";

export interface ScoreOptions extends BootstrapOptions {
  readonly benchmark: Benchmark;
  readonly load: DatasetOptions;
  readonly answers: Pick<Answers, "texts" | "failures" | "where"> & Partial<Pick<Answers, "repeated">>;
  readonly verdicts?: (Pick<Verdicts, "byId"> & Partial<Pick<Verdicts, "replies">>) | undefined;
  /** Model and judge of the result; the judge is left out where it had no say. */
  readonly model: string;
  readonly judge?: string | undefined;
  /** How the judge was asked, if that is known. */
  readonly judging?: Judging | undefined;
  /** What the answers were generated with, and how, if that is known. */
  readonly sampling?: SamplingOptions | undefined;
  readonly run?: RunFacts | undefined;
  /** Scores what is answered and judged, whatever else is missing or unknown; the counts say what it covers. */
  readonly partial?: boolean | undefined;
  /** Scores although questions or the judge failed; the counts say how many. Missing answers are refused all the same. */
  readonly leaveOutFailures?: boolean | undefined;
  /** Scores answers that need a judge without one: what no rule reads counts as wrong. */
  readonly withoutJudge?: boolean | undefined;
  /** Gets the outcomes in the order of the items. */
  readonly onOutcome?: ((row: OutcomeRow) => void) | undefined;
  /** Called now and then with the number of items that are done. */
  readonly onProgress?: ((items: number) => void) | undefined;
}

/** A result whose outcomes are not in a file yet. */
export interface Scored {
  readonly result: Omit<Result, "outcomes">;
  readonly outcomes: readonly Outcome[];
}

const listed = 1000;

/**
 * Scores answers: joins them to the benchmark's questions by id, and gives every metric a bootstrap interval.
 * @throws LlavaError "data" if questions have no answer, answers no question, or verdicts are missing, unless `partial`
 */
export async function score(options: ScoreOptions): Promise<Scored> {
  const { benchmark, load, judge, judging = null, sampling, run = null, model } = options;
  const join = new Join(options);
  for await (const item of benchmark.load({ ...load, answered: options.answers.texts })) {
    join.add(item);
    if (join.counts.items % 10_000 === 0) options.onProgress?.(join.counts.items);
  }
  options.onProgress?.(join.counts.items);
  const { counts, outcomes } = join;
  join.check();
  const metrics = benchmark.aggregate(outcomes);
  const { intervals, ...how } = bootstrap(outcomes, metrics, benchmark.aggregate, options);
  const scores = metrics.map(({ name, value, count, digits }) => {
    const [low, high] = intervals.get(name) ?? [value, value];
    return { name, value, low, high, count, digits };
  });
  return {
    outcomes,
    result: {
      format: "llava-result-1",
      benchmark: benchmark.name,
      title: benchmark.title,
      split: load.split ?? benchmark.splits[0] ?? "",
      compat: benchmark.compat !== undefined && (load.compat ?? false),
      differences: [...differencesOf(benchmark, judging !== null)],
      model,
      judge: counts.judged > 0 ? (judge ?? "unknown") : null,
      headline: benchmark.headline,
      scores,
      tables: join.tables.finish(),
      counts,
      failures: join.failures,
      missing: join.missing,
      unjudged: join.unjudged,
      judging,
      replies: join.replies.finish(),
      prompts: join.prompts.digest(),
      sampling: sampling === undefined ? null : { ...sampling },
      run,
      intervals: how,
      versions: await readVersions(),
      created: new Date().toISOString(),
    },
  };
}

/**
 * The outcome of an answer as results count it: space around an answer changes nothing, and an answer without words is
 * not readable and wrong, except where bugs of the original are reproduced.
 */
export function countedOutcome(
  benchmark: Pick<Benchmark, "outcome" | "compat">,
  load: Pick<DatasetOptions, "compat">,
  item: BenchmarkItem,
  answer: string,
  verdict?: Verdict,
): Outcome {
  const isOriginal = benchmark.compat !== undefined && (load.compat ?? false);
  const given = isOriginal ? answer : answer.trim();
  const outcome = benchmark.outcome(item, given, verdict);
  // A scorer that forgets the labels still gets tables.
  const labels = outcome.labels ?? item.labels;
  // Whatever a rule makes of no words at all, they say nothing; a judge may have read them.
  const isEmpty = given === "" && !isOriginal && verdict === undefined;
  return {
    ...outcome,
    ...(labels !== undefined && { labels }),
    ...(isEmpty && { credit: 0, parsed: undefined }),
  };
}

class Join {
  readonly counts: Counts = {
    items: 0,
    answered: 0,
    failed: 0,
    missing: 0,
    unknown: 0,
    judgeable: 0,
    judged: 0,
    scored: 0,
    unparsed: 0,
  };
  readonly outcomes: Outcome[] = [];
  readonly failures: { id: string; reason: string }[] = [];
  readonly missing: string[] = [];
  readonly unjudged: string[] = [];
  readonly replies = new RepliesReadAgain();
  readonly prompts = new PromptHash();
  readonly tables = new LabelTables();
  readonly #options: ScoreOptions;
  readonly #asked: AskedIds;
  readonly #keepsRows: boolean;

  constructor(options: ScoreOptions) {
    this.#options = options;
    this.#asked = new AskedIds(options.answers.texts);
    this.#keepsRows = options.onOutcome !== undefined;
  }

  add(item: BenchmarkItem): void {
    const { benchmark, withoutJudge, onOutcome } = this.#options;
    const { id } = item;
    const taken = this.#asked.take(id);
    if (taken === "twice")
      throw new LlavaError("data", `${this.#place()}: has two questions with the id "${id}"`, {
        hint: "Check that the data folder holds the original files, each once.",
      });
    this.counts.items++;
    const prompt = benchmark.prompt(item);
    this.prompts.add(id, prompt);
    const answer = taken.text;
    if (answer === undefined) return void this.#noteUnanswered(id);
    this.counts.answered++;
    const { judge } = benchmark;
    const verdict = this.#verdict(judge, item);
    // What a file says of an answer counts, also where a rule could have settled it.
    if (judge && (verdict !== undefined || (judge.needed?.(item, answer) ?? true))) {
      this.counts.judgeable++;
      if (verdict !== undefined) this.counts.judged++;
      else if (!withoutJudge) {
        if (this.unjudged.length < listed) this.unjudged.push(id);
        return;
      }
    }
    const outcome = countedOutcome(benchmark, this.#options.load, item, answer, verdict);
    this.outcomes.push(outcome);
    this.tables.add(outcome);
    this.counts.scored++;
    if (outcome.parsed === undefined) this.counts.unparsed++;
    if (!this.#keepsRows) return;
    const { text, images } = flattenPrompt(prompt);
    onOutcome?.({ ...outcome, answer, prompt: text, images });
  }

  #verdict(judge: JudgeProtocol<BenchmarkItem> | undefined, item: BenchmarkItem): Verdict | undefined {
    const { verdicts } = this.#options;
    const verdict = verdicts?.byId.get(item.id);
    if (verdict === undefined || judge?.failed?.(verdict, item)) return undefined;
    if (judge) this.replies.add(judge, item, verdict, verdicts?.replies?.get(item.id));
    return verdict;
  }

  #noteUnanswered(id: string): void {
    const reason = this.#options.answers.failures.get(id);
    if (reason !== undefined) {
      this.counts.failed++;
      this.failures.push({ id, reason });
    } else {
      this.counts.missing++;
      if (this.missing.length < listed) this.missing.push(id);
    }
  }

  /** Refuses what the scores would not cover. */
  check(): void {
    const { counts, unjudged, missing, failures } = this;
    const { answers, benchmark, partial, leaveOutFailures } = this.#options;
    const given = answers.texts.size;
    counts.unknown = given - counts.answered;
    if (answers.repeated?.size) counts.repeated = answers.repeated.size;
    if (counts.items === 0) throw new LlavaError("data", `${this.#place()}: has no questions`);
    if (counts.unknown > 0 && (!partial || counts.answered === 0)) {
      const unknown = [...answers.texts.keys()].find((id) => !this.#asked.has(id)) ?? "";
      const most = counts.unknown > 0.9 * given;
      throw new LlavaError(
        "data",
        `${answers.where(unknown)}: ${counts.unknown} of ${given} answers are to questions that ${this.#place()} does not have, the first to "${unknown}"`,
        {
          hint: most
            ? `These look like predictions for another split or benchmark; splits of ${benchmark.name}: ${benchmark.splits.join(", ")}.`
            : "Check the split; --partial leaves them out.",
        },
      );
    }
    const unanswered = counts.missing + (leaveOutFailures ? 0 : counts.failed);
    if (unanswered > 0 && !partial)
      throw new LlavaError(
        "data",
        `${answers.where("")}: ${unanswered} of ${counts.items} questions of ${this.#place()} have no answer, the first is "${missing[0] ?? failures[0]?.id}"`,
        { hint: "--partial scores the others and prints the coverage." },
      );
    const stray = [...(this.#options.verdicts?.byId.keys() ?? [])].find((id) => !this.#asked.has(id));
    if (stray !== undefined && !partial)
      throw new LlavaError(
        "data",
        `there is a verdict on question "${stray}", which ${this.#place()} does not have`,
        {
          hint: "These look like verdicts on another split or benchmark; --partial leaves them out.",
        },
      );
    const lacking = counts.judgeable - counts.judged;
    if (unjudged.length > 0 && (!(partial || leaveOutFailures) || counts.scored === 0))
      throw new LlavaError(
        "data",
        `${lacking} of ${counts.answered} answers need a verdict of a judge and have none, the first is that to "${unjudged[0]}"`,
        {
          hint: `Run llava eval judge ${benchmark.name}, or give --verdicts FILE${counts.scored > 0 ? "; --no-judge counts them as wrong" : ""}.`,
        },
      );
    if (counts.scored === 0)
      throw new LlavaError("data", `${answers.where("")}: holds no answer to score`, {
        hint: "The failures of the run say why.",
      });
  }

  #place(): string {
    const { benchmark, load } = this.#options;
    const split = load.split ?? benchmark.splits[0];
    return split === undefined ? benchmark.name : `${benchmark.name} (${split})`;
  }
}
