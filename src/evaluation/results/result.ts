import { z } from "zod";
import type { Outcome } from "../benchmark.ts";

const count = z.int().nonnegative();

/** A metric with its 95 % interval; an interval of resampled groups of questions. */
const scoreSchema = z.strictObject({
  name: z.string(),
  value: z.number(),
  low: z.number(),
  high: z.number(),
  /** Questions behind it. */
  count,
  /** Digits after the point that the original prints. */
  digits: count,
});
export type Score = z.infer<typeof scoreSchema>;

const countsSchema = z.strictObject({
  /** Questions of the benchmark's split. */
  items: count,
  /** Those with an answer. */
  answered: count,
  /** Those that were asked and got none. */
  failed: count,
  /** Those that were not asked, or that the file of predictions lacks. */
  missing: count,
  /** Answers to no question of the split, left out. */
  unknown: count,
  /** Answers that need a judge. */
  judgeable: count,
  /** Those of them whose verdict is there. */
  judged: count,
  /** Questions in the scores: answered, and judged if they need it. */
  scored: count,
  /** Those of them whose answer the parser could not read; they count as wrong. */
  unparsed: count,
  /** Questions that the file answers more than once, where the benchmark itself asks some twice; left out where none is. */
  repeated: count.optional(),
});
export type Counts = z.infer<typeof countsSchema>;

const verdictSchema = z.record(z.string(), z.union([z.number(), z.string()]));

/** Replies of a judge that stand beside its verdicts, read again. */
const repliesSchema = z.strictObject({
  read: count,
  /** Those that read otherwise than the verdict; no reading where they cannot be read. */
  differing: z.array(
    z.strictObject({ id: z.string(), verdict: verdictSchema, reading: verdictSchema.nullable() }),
  ),
});
export type Replies = z.infer<typeof repliesSchema>;

/** How answers were generated. */
const runSchema = z.strictObject({
  /** What decides the answers besides the model's name, such as a digest of its weights. */
  identity: z.string(),
  /** The models that the answers themselves name. */
  served: z.array(z.string()),
  /** Number of first questions that were taken; null for all. */
  limit: count.nullable(),
  usage: z.strictObject({ promptTokens: count, imageTokens: count, completionTokens: count }),
});
export type RunFacts = z.infer<typeof runSchema>;

/** How a judge was asked. */
const judgingSchema = z.strictObject({
  /** The model that was asked for; the result's judge is the one that the replies name. */
  requested: z.string(),
  sampling: z.record(z.string(), z.unknown()),
  /** SHA-256 of its prompts, with a placeholder where an answer stands. */
  prompts: z.string(),
  /** The first of these prompts. */
  example: z.string(),
  /** Answers whose reply was read, by how often the judge was asked for it. */
  read: z.array(count),
  /** Those whose replies could not be read. */
  unreadable: count,
  /** Those without a reply. */
  failed: count,
});
export type Judging = z.infer<typeof judgingSchema>;

/** What one run of a benchmark gave, with all that made it: the JSON that commands write, compare and report. */
export const resultSchema = z.strictObject({
  format: z.literal("llava-result-1"),
  benchmark: z.string(),
  title: z.string(),
  split: z.string(),
  /** Whether bugs of the original were reproduced. */
  compat: z.boolean(),
  /** What was scored otherwise than by the official scorer, a phrase each. */
  differences: z.array(z.string()).default([]),
  model: z.string(),
  /** Null where no judge had a say. */
  judge: z.string().nullable(),
  /** Name of the score that stands for the benchmark. */
  headline: z.string(),
  /** The headline first. */
  scores: z.array(scoreSchema).min(1),
  /** By label and its value: mean credit (0 to 1) and the number of questions. */
  tables: z.record(z.string(), z.record(z.string(), z.strictObject({ credit: z.number(), count }))),
  counts: countsSchema,
  failures: z.array(z.strictObject({ id: z.string(), reason: z.string() })),
  /** The first 1,000 ids of questions without an answer that did not fail. */
  missing: z.array(z.string()),
  /** The first 1,000 ids of answers that still need a judge. */
  unjudged: z.array(z.string()),
  /** Null where no judge was asked, or its verdicts come from elsewhere. */
  judging: judgingSchema.nullable().default(null),
  /** Null where verdicts come without the judge's words. */
  replies: repliesSchema.nullable().default(null),
  /** SHA-256 of the prompts of all questions of the split, in order; images go by the name of their file. */
  prompts: z.string(),
  /** What answers were generated with; null for predictions made elsewhere. */
  sampling: z.record(z.string(), z.unknown()).nullable(),
  /** Null for predictions made elsewhere. */
  run: runSchema.nullable().default(null),
  intervals: z.strictObject({
    resamples: count,
    seed: count,
    /** Groups of questions that each resample draws; fewer than `groups` for large benchmarks. */
    drawn: count,
    groups: count,
  }),
  versions: z.strictObject({ llava: z.string(), node: z.string(), commit: z.string().nullable() }),
  created: z.iso.datetime(),
  /** JSONL with one `OutcomeRow` a scored question, relative to this file. */
  outcomes: z.string(),
});
export type Result = z.infer<typeof resultSchema>;

/** A line of the outcomes' file: an outcome with the question and the answer. */
export interface OutcomeRow extends Outcome {
  readonly answer: string;
  /** Text of the prompt, with `<image>` where an image stands. */
  readonly prompt: string;
  /** Paths of the images, absolute. */
  readonly images: readonly string[];
}

/** Share of the split's questions that the scores cover, from 0 to 1. */
export const coverage = ({ scored, items }: Counts): number => (items === 0 ? 0 : scored / items);
