import assert from "node:assert/strict";
import { test } from "node:test";
import { benchmarksOf, exampleNames, withExample } from "../../../test/support/benchmark-examples.ts";
import type { Benchmark, BenchmarkItem, Outcome } from "../benchmark.ts";
import { score } from "../score.ts";

/** What people and servers leave at the end of an answer, and what says nothing at all. */
const ends = ["\n", " ", ".", ".\n", " \r\n"];
const silences = ["", "\n", " "];

/** Answers that some rule reads: letters, words, numbers, and the right answers of the example. */
const usual = ["A", "B", "yes", "No", "two", "3", "The answer is B", "a red bus"];

/** Outcome of one answer to one question, as a result counts it. */
async function outcomeOf(benchmark: Benchmark, item: BenchmarkItem, answer: string): Promise<Outcome> {
  const { outcomes } = await score({
    benchmark: { ...benchmark, load: () => only(item) },
    load: { data: "" },
    answers: { texts: new Map([[item.id, answer]]), failures: new Map(), where: () => "" },
    withoutJudge: true,
    model: "m",
    resamples: 0,
  });
  return outcomes[0]!;
}

async function* only(item: BenchmarkItem): AsyncGenerator<BenchmarkItem> {
  yield item;
}

for (const name of exampleNames)
  test(`ends of answers to ${name}`, () =>
    withExample(name, async (data) => {
      for (const benchmark of await benchmarksOf(name)) {
        const answered = { has: () => true };
        for await (const item of benchmark.load({ data, answered })) {
          const truth = await outcomeOf(benchmark, item, "B").catch(() => undefined);
          // Splits without right answers have nothing to compare.
          if (truth === undefined) break;
          const own = truth.truth === undefined ? [] : [truth.truth.split(" | ")[0]!, truth.truth];
          for (const answer of [...usual, ...own]) {
            const { credit } = await outcomeOf(benchmark, item, answer);
            for (const end of ends) {
              // What no rule reads is the judge's to read.
              if (benchmark.judge && (benchmark.judge.needed?.(item, answer + end) ?? true)) continue;
              const other = await outcomeOf(benchmark, item, answer + end);
              assert.equal(
                other.credit,
                credit,
                `${benchmark.name} ${item.id}: ${JSON.stringify(answer + end)}`,
              );
            }
          }
          for (const silence of silences) {
            const { credit, parsed } = await outcomeOf(benchmark, item, silence);
            assert.deepEqual(
              [credit, parsed],
              [0, undefined],
              `${benchmark.name}: ${JSON.stringify(silence)}`,
            );
          }
          break;
        }
      }
    }));
