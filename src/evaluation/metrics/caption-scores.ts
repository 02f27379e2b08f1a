import type { BenchmarkItem, DatasetOptions, Metric, Outcome } from "../benchmark.ts";
import { known } from "../scoring/index.ts";
import { type BleuCounts, bleuCounts, bleuOf } from "./bleu.ts";
import { captionTokens } from "./caption-tokens.ts";
import { ciderOf, DocumentFrequencies } from "./cider.ts";
import { rougeLOf } from "./rouge-l.ts";
import type { ScoredCaption } from "./scored-caption.ts";

/** Something to describe, and what people wrote about it; undefined for splits that keep it back. */
interface Described {
  readonly id: string;
  readonly captions?: readonly string[] | undefined;
}

export interface CaptionedItem extends BenchmarkItem, Described {
  /** What CIDEr weighs words by: shared by all items. */
  readonly corpus: CaptionCorpus;
}

/** What these scores have of their own. */
export const captionDifferences: readonly string[] = [
  "captions are parted into words by rules that follow the Stanford tokenizer but know no web addresses, emoticons or SGML",
];

/** References of the items that are scored, counted when the first is. */
export class CaptionCorpus {
  readonly #scored: readonly Described[];
  #frequencies: DocumentFrequencies | undefined;

  /** Like the original, counts only items that have an answer, where answers are known and some fit. */
  constructor(items: readonly Described[], answered: DatasetOptions["answered"]) {
    const scored = answered === undefined ? items : items.filter(({ id }) => answered.has(id));
    this.#scored = scored.length === 0 ? items : scored;
  }

  get frequencies(): DocumentFrequencies {
    this.#frequencies ??= new DocumentFrequencies(tokenized(this.#scored));
    return this.#frequencies;
  }
}

function* tokenized(items: readonly Described[]): Generator<ScoredCaption["references"]> {
  for (const { captions = [] } of items) yield captions.map(captionTokens);
}

const sizes = [1, 2, 3, 4] as const;

/** The outcome of a caption, with the numbers that `captionMetrics` needs. */
export function captionOutcome({ id, captions, corpus }: CaptionedItem, answer: string): Outcome {
  const written = known(captions, id);
  const caption = { prediction: captionTokens(answer), references: written.map(captionTokens) };
  const cider = ciderOf(caption, corpus.frequencies);
  const { matched, possible, predictedLength, referenceLength } = bleuCounts(caption);
  const values: Record<string, number> = {
    cider,
    rougeL: rougeLOf(caption),
    predictedLength,
    referenceLength,
  };
  for (const [index, size] of sizes.entries()) {
    values[`matched${size}`] = matched[index]!;
    values[`possible${size}`] = possible[index]!;
  }
  // Papers print a CIDEr of 1 as 100; few captions reach more, and none loses by it.
  return { id, credit: Math.min(1, cider), parsed: answer, truth: written.join(" | "), values };
}

/** CIDEr-D, BLEU and ROUGE-L, as percentages. METEOR and SPICE are left out: both need tables and parsers that exist in Java alone. */
export function captionMetrics(outcomes: readonly Outcome[]): Metric[] {
  const count = outcomes.length;
  const metric = (name: string, share: number): Metric => ({ name, value: 100 * share, count, digits: 1 });
  const sum = (name: string): number =>
    outcomes.reduce((total, { values }) => total + (values?.[name] ?? 0), 0);
  const scores = bleuOf(outcomes.map(countsOf));
  return [
    metric("cider", sum("cider") / count),
    ...sizes.map((size, index) => metric(`bleu-${size}`, scores[index]!)),
    metric("rouge-l", sum("rougeL") / count),
  ];
}

function countsOf({ values = {} }: Outcome): BleuCounts {
  const four = (name: string): BleuCounts["matched"] => [
    values[`${name}1`] ?? 0,
    values[`${name}2`] ?? 0,
    values[`${name}3`] ?? 0,
    values[`${name}4`] ?? 0,
  ];
  return {
    matched: four("matched"),
    possible: four("possible"),
    predictedLength: values["predictedLength"] ?? 0,
    referenceLength: values["referenceLength"] ?? 0,
  };
}
