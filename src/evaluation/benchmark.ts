import type { Message, SamplingOptions } from "../protocol/index.ts";

/** One question of a benchmark, with what its scorer needs; a benchmark adds fields of its own. Plain JSON. */
export interface BenchmarkItem {
  /** Unique in the benchmark, and equal to the id in the original answer files wherever they have one. */
  readonly id: string;
  /** What tables are split by: { split: "adversarial" }, { subject: "NAT", grade: "G1-6" }. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What the scorer made of one answer. Plain JSON. */
export interface Outcome {
  readonly id: string;
  /** Share of full marks, from 0 to 1: what paired comparison and "worst examples" go by. */
  readonly credit: number;
  /** What the parser read from the answer; undefined where it could read nothing, which counts as wrong. */
  readonly parsed?: string | undefined;
  /** The right answer in words, for those who read reports: "no", "B. Mars", "red | dark red". */
  readonly truth?: string | undefined;
  /** Questions that are resampled together: rotations of one, two about one image. Its own id when left out. */
  readonly group?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Further numbers that `aggregate` needs. */
  readonly values?: Readonly<Record<string, number>>;
}

/** A number of a result's table. */
export interface Metric {
  /** "accuracy", "f1", "accuracy/adversarial": the part after a slash names the slice. */
  readonly name: string;
  readonly value: number;
  /** Questions behind it. */
  readonly count: number;
  /** Digits after the point that the original prints. */
  readonly digits: number;
}

/** Rows of a file, which may be read while they are taken. */
export type Rows<Row> = Iterable<Row> | AsyncIterable<Row>;

export interface Answer {
  readonly id: string;
  readonly text: string;
  /** What a judge or the benchmark's own code made of it, where a file of predictions says that too. */
  readonly verdict?: Verdict | undefined;
}

/** Foreign prediction files hold answers, and sometimes what a benchmark's original files lack. */
export interface DatasetOptions {
  /** Folder of the dataset's original files. */
  readonly data: string;
  /** "val", "test", "adversarial"; the benchmark's first split when left out. */
  readonly split?: string | undefined;
  /** Reproduces a bug of the original that published scores depend on. */
  readonly compat?: boolean | undefined;
  /** Ids that have an answer, where answers are scored: metrics of a whole corpus go by them. */
  readonly answered?: Pick<ReadonlySet<string>, "has"> | undefined;
}

/** A reading of one answer, a judge's or that of the benchmark's own code: { score: 0.7 }, { reference: 8, model: 7 }. */
export type Verdict = Readonly<Record<string, number | string>>;

export interface JudgedAnswer {
  readonly id: string;
  readonly verdict: Verdict;
  /** What the judge wrote, if the file has it: `parse` should read the same verdict from it. */
  readonly reply?: string | undefined;
  /** The judge's id, if the file has it. */
  readonly judge?: string | undefined;
  /** Where the file has it, counted from 1. */
  readonly line?: number | undefined;
}

/** The judge's prompt of published scores, where a benchmark also has one in words of this project. */
export interface OfficialJudge<Item extends BenchmarkItem> extends Pick<JudgeProtocol<Item>, "prompt"> {
  /** Whose words they are, and under which licence they stand here. */
  readonly licence: string;
  /** Where they differ from those of the protocol. */
  readonly sampling?: SamplingOptions;
  parse?: JudgeProtocol<Item>["parse"];
}

/** How a model judges answers that no rule can. */
export interface JudgeProtocol<Item extends BenchmarkItem> {
  /** The judge that published scores used. */
  readonly model: string;
  readonly sampling: SamplingOptions;
  /**
   * "same" where `prompt` is that of published scores. Where its words are this project's: the official one, or why it
   * cannot be offered.
   */
  readonly official: "same" | OfficialJudge<Item> | { readonly withheld: string };
  /** False where a rule settles the answer without the judge; all are judged when left out. A verdict that is given counts anyhow. */
  needed?(item: Item, answer: string): boolean;
  /** `answers` holds those of all items, for judgements that compare two. */
  prompt(item: Item, answer: string, answers: ReadonlyMap<string, string>): readonly Message[];
  /** undefined for a reply that cannot be read: the judge is asked again, and then it is reported. */
  parse(reply: string, item: Item): Verdict | undefined;
  /** True for a verdict that a foreign file has where the judge failed: such an answer counts as not judged. */
  failed?(verdict: Verdict, item: Item): boolean;
}

export interface Published {
  /** "LLaVA-1.5 13B" */
  readonly model: string;
  /** Name of the metric. */
  readonly metric: string;
  readonly value: number;
  /** Where it is printed. */
  readonly source: string;
}

/** A folder of src/evaluation/benchmarks, whose index.ts exports one of these (or a list of variants) as its default. */
export interface Benchmark<Item extends BenchmarkItem = BenchmarkItem> {
  /** What the command line calls it: "pope", "mmbench-cn". */
  readonly name: string;
  readonly title: string;
  /** The paper, and where the dataset's original files come from. */
  readonly source: string;
  /** The files that `load` looks for in the data folder, a line each, for help and errors. */
  readonly files: readonly string[];
  readonly splits: readonly string[];
  /** Name of the metric that stands for the benchmark. */
  readonly headline: string;
  readonly published: readonly Published[];
  /** What `DatasetOptions.compat` reproduces; undefined where scores depend on no bug of the original. */
  readonly compat?: string;
  /** What the scorer does otherwise than the official one, also with `compat`: a phrase each. The judge's words are apart. */
  readonly differences?: readonly string[];
  /** Items in the order of the original file. Errors are LlavaError "data" naming file and line. */
  load(options: DatasetOptions): AsyncIterable<Item>;
  /** The exact prompt; images are absolute paths. */
  prompt(item: Item): readonly Message[];
  readonly sampling: SamplingOptions;
  /** True where questions are about videos, which no model here reads: answers made elsewhere are scored. */
  readonly asksAboutVideos?: boolean;
  /** Scores one answer; `verdict` is there if a judge was asked, or the file of predictions brings a reading. */
  outcome(item: Item, answer: string, verdict?: Verdict): Outcome;
  /** Metrics over outcomes, the headline first. Called on resampled outcomes too, so it must not assume unique ids. */
  aggregate(outcomes: readonly Outcome[]): readonly Metric[];
  readonly judge?: JudgeProtocol<Item>;
  /** Answers from a prediction file of the benchmark's own format; undefined if this is not one. LLaVA's JSONL is tried otherwise. */
  readPredictions?(path: string): Promise<Rows<Answer> | undefined>;
  /** The id of the question that a row of predictions or of a peer's questions is about, where no field of it is that id. */
  answerId?(row: Readonly<Record<string, unknown>>): string | undefined;
  /** The field of the benchmark's own rows of predictions that holds the answer, where `answer` holds the right one. */
  readonly answerField?: string;
  /** True where the original files ask some questions twice, so that a file of predictions may answer them twice. */
  readonly repeatsQuestions?: boolean;
  /** Verdicts from a judge's file of the benchmark's own format (reviews, grades); undefined if this is not one. */
  readVerdicts?(path: string): Promise<Rows<JudgedAnswer> | undefined>;
  /** Files as the benchmark's server takes them. */
  readonly submission?: {
    /** "answers.json" */
    readonly file: string;
    /** The bytes of the file. */
    write(items: readonly Item[], answers: ReadonlyMap<string, string>): Promise<Uint8Array>;
  };
}

/** States a benchmark, for the type checker; the registry holds them with their item type forgotten. */
export const benchmark = <Item extends BenchmarkItem>(definition: Benchmark<Item>): Benchmark =>
  definition as unknown as Benchmark;
