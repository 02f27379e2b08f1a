import { LlavaError } from "../../errors.ts";
import { mulberry32 } from "../../random/index.ts";
import type { Benchmark, Metric, Outcome } from "../benchmark.ts";
import { defaultResamples, drawnOf, middle95 } from "./bootstrap.ts";
import { drawGroups, groupsOf } from "./groups.ts";
import type { Result } from "./result.ts";

/** A question that the two answered differently well. */
export interface Flip {
  readonly id: string;
  readonly before: number;
  readonly after: number;
}

export interface Comparison {
  readonly benchmark: string;
  readonly split: string;
  readonly models: readonly [string, string];
  readonly headline: string;
  readonly digits: number;
  /** Questions that both results scored, and those that one alone did. */
  readonly shared: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** The headline over shared questions. */
  readonly values: readonly [number, number];
  /** Second less first, with the 95 % interval of the paired bootstrap. */
  readonly difference: number;
  readonly interval: readonly [number, number];
  /** Two-sided, of the headline's difference: paired permutation of groups. */
  readonly p: number;
  /** Exact two-sided McNemar test; null where credits are not all 0 or 1. */
  readonly mcnemar: number | null;
  /** Questions on which the second is better, and worse, by most first. */
  readonly gained: readonly Flip[];
  readonly lost: readonly Flip[];
  /** What differs though it need not be a mistake: generation settings, prompts by force. */
  readonly warnings: readonly string[];
}

export interface Side {
  readonly result: Result;
  readonly outcomes: Iterable<Outcome> | AsyncIterable<Outcome>;
}

export interface CompareOptions {
  /** Compares although the prompts differ. */
  readonly force?: boolean | undefined;
  readonly resamples?: number | undefined;
  readonly seed?: number | undefined;
}

/** Outcomes that all permutations together may visit. */
const permuted = 2e7;

/**
 * Compares two results of one benchmark question by question.
 * @throws LlavaError "usage" for results that cannot be compared: another benchmark, split, judge, scoring or prompts
 */
export async function compareResults(
  benchmark: Pick<Benchmark, "aggregate">,
  first: Side,
  second: Side,
  { force = false, resamples = defaultResamples, seed = 0 }: CompareOptions = {},
): Promise<Comparison> {
  const [one, two] = [first.result, second.result];
  const warnings = requireComparable(one, two, force);
  const { pairs, onlyFirst, onlySecond } = await join(first.outcomes, second.outcomes);
  if (pairs.first.length === 0)
    throw new LlavaError("usage", "the two results have no scored question in common", {
      hint: "Compare results of the same questions.",
    });
  const headline = (outcomes: readonly Outcome[]): number =>
    benchmark.aggregate(outcomes).find(({ name }: Metric) => name === one.headline)?.value ?? Number.NaN;
  const values = [headline(pairs.first), headline(pairs.second)] as const;
  const difference = values[1] - values[0];
  const test = new PairedTest(pairs, headline, difference);
  const [gained, lost] = flips(pairs);
  return {
    benchmark: one.benchmark,
    split: one.split,
    models: [one.model, two.model],
    headline: one.headline,
    digits: one.scores.find(({ name }) => name === one.headline)?.digits ?? 2,
    shared: pairs.first.length,
    onlyFirst,
    onlySecond,
    values,
    difference,
    interval: test.interval(resamples, seed),
    p: test.permutation(resamples, seed),
    mcnemar: isBinary(pairs) ? mcnemar(gained.length, lost.length) : null,
    gained,
    lost,
    warnings,
  };
}

function requireComparable(one: Result, two: Result, force: boolean): string[] {
  const refuse = (what: string, a: unknown, b: unknown, hint: string): void => {
    if (a !== b) throw new LlavaError("usage", `the results have different ${what}: ${a} and ${b}`, { hint });
  };
  const same = "Only results of the same questions, scored alike, can be compared.";
  refuse("benchmarks", one.benchmark, two.benchmark, same);
  refuse("splits", one.split, two.split, same);
  refuse("scoring (--compat)", one.compat, two.compat, "Score both with --compat, or both without.");
  refuse(
    "judges",
    one.judge,
    two.judge,
    "Judges differ in strictness: judge both sets of answers by the same one.",
  );
  const forced = "--force compares them all the same.";
  if (!force) refuse("prompts", one.prompts, two.prompts, forced);
  const [first, second] = [one.judging, two.judging];
  if (!force && first && second) refuse("prompts of the judge", first.prompts, second.prompts, forced);
  const warnings = [];
  if (one.prompts !== two.prompts) warnings.push("the prompts differ");
  if (one.sampling && two.sampling && JSON.stringify(one.sampling) !== JSON.stringify(two.sampling))
    warnings.push("the generation settings differ");
  if (first && second && JSON.stringify(first.sampling) !== JSON.stringify(second.sampling))
    warnings.push("the judge's settings differ");
  return warnings;
}

interface Pairs {
  readonly first: Outcome[];
  readonly second: Outcome[];
}

async function join(one: Side["outcomes"], two: Side["outcomes"]) {
  const known = new Map<string, Outcome>();
  for await (const outcome of one) known.set(outcome.id, outcome);
  const pairs: Pairs = { first: [], second: [] };
  let onlySecond = 0;
  for await (const outcome of two) {
    const other = known.get(outcome.id);
    if (other === undefined) onlySecond++;
    else {
      pairs.first.push(other);
      pairs.second.push(outcome);
    }
  }
  return { pairs, onlyFirst: known.size - pairs.first.length, onlySecond };
}

class PairedTest {
  readonly #pairs: Pairs;
  readonly #headline: (outcomes: readonly Outcome[]) => number;
  readonly #difference: number;
  readonly #groups;

  constructor(pairs: Pairs, headline: (outcomes: readonly Outcome[]) => number, difference: number) {
    this.#pairs = pairs;
    this.#headline = headline;
    this.#difference = difference;
    this.#groups = groupsOf(pairs.first);
  }

  /** Both sides are resampled alike; bounded like `bootstrap`. */
  interval(resamples: number, seed: number): [number, number] {
    const { first, second } = this.#pairs;
    const drawn = drawnOf(this.#groups.count);
    const random = mulberry32(seed);
    const found = new Float64Array(resamples);
    for (let resample = 0; resample < resamples; resample++) {
      const [one, two]: [Outcome[], Outcome[]] = [[], []];
      drawGroups(this.#groups, drawn, random, (index) => {
        one.push(first[index]!);
        two.push(second[index]!);
      });
      found[resample] = this.#headline(two) - this.#headline(one) - this.#difference;
    }
    const [low, high] = middle95(found.filter(Number.isFinite));
    const shrink = Math.sqrt(drawn / this.#groups.count);
    return [this.#difference + low * shrink, this.#difference + high * shrink];
  }

  /** Share of random exchanges of the two sides, group by group, that differ by as much. */
  permutation(resamples: number, seed: number): number {
    const { first, second } = this.#pairs;
    const { count, start, members } = this.#groups;
    const rounds = Math.max(200, Math.min(resamples, Math.floor(permuted / first.length)));
    const random = mulberry32(seed + 1);
    const [one, two] = [first.slice(), second.slice()];
    const extreme = Math.abs(this.#difference) * (1 - 1e-9) - 1e-12;
    let reached = 1;
    for (let round = 0; round < rounds; round++) {
      for (let group = 0; group < count; group++) {
        const isExchanged = random() < 0.5;
        for (let at = start[group]!; at < start[group + 1]!; at++) {
          const index = members[at]!;
          one[index] = (isExchanged ? second : first)[index]!;
          two[index] = (isExchanged ? first : second)[index]!;
        }
      }
      if (Math.abs(this.#headline(two) - this.#headline(one)) >= extreme) reached++;
    }
    return reached / (rounds + 1);
  }
}

function flips({ first, second }: Pairs): [gained: Flip[], lost: Flip[]] {
  const [gained, lost]: [Flip[], Flip[]] = [[], []];
  for (const [index, { id, credit: before }] of first.entries()) {
    const after = second[index]!.credit;
    if (after > before) gained.push({ id, before, after });
    else if (after < before) lost.push({ id, before, after });
  }
  const byMost = (a: Flip, b: Flip): number => Math.abs(b.after - b.before) - Math.abs(a.after - a.before);
  return [gained.sort(byMost), lost.sort(byMost)];
}

const isBinary = ({ first, second }: Pairs): boolean =>
  [first, second].every((outcomes) => outcomes.every(({ credit }) => credit === 0 || credit === 1));

/** Twice the smaller tail of a fair coin's tosses (McNemar 1947, in its exact form). */
export function mcnemar(gained: number, lost: number): number {
  const tosses = gained + lost;
  // From the logarithm of each binomial term, since 2^tosses overflows.
  let logTerm = -tosses * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let heads = 1; heads <= Math.min(gained, lost); heads++) {
    logTerm += Math.log(tosses - heads + 1) - Math.log(heads);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}
