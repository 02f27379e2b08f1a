import assert from "node:assert/strict";
import { test } from "node:test";
import { benchmarksOf, exampleNames, withExample } from "../../../test/support/benchmark-examples.ts";
import type { Benchmark, BenchmarkItem, Outcome } from "../benchmark.ts";
import { countedOutcome } from "../scoring/index.ts";

/** What people and servers leave at the end of an answer, and what says nothing at all. */
const ends = ["\n", " ", ".", ".\n", " \r\n"];
const silences = ["", "\n", " "];

/** Answers that some rule reads: letters, words, numbers, and the right answers of the example. */
const usual = ["A", "B", "yes", "No", "two", "3", "The answer is B", "a red bus"];

const outcomeOf = (benchmark: Benchmark, item: BenchmarkItem, answer: string): Outcome =>
  countedOutcome(benchmark, {}, item, answer);

for (const name of exampleNames)
  test(`ends of answers to ${name}`, () =>
    withExample(name, async (data) => {
      for (const benchmark of await benchmarksOf(name)) {
        const answered = { has: () => true };
        for await (const item of benchmark.load({ data, answered })) {
          const truth = outcomeOf(benchmark, item, "B");
          const own = truth.truth === undefined ? [] : [truth.truth.split(" | ")[0]!, truth.truth];
          for (const answer of [...usual, ...own]) {
            const { credit } = outcomeOf(benchmark, item, answer);
            for (const end of ends) {
              // What no rule reads is the judge's to read.
              if (benchmark.judge && (benchmark.judge.needed?.(item, answer + end) ?? true)) continue;
              const other = outcomeOf(benchmark, item, answer + end);
              assert.equal(
                other.credit,
                credit,
                `${benchmark.name} ${item.id}: ${JSON.stringify(answer + end)}`,
              );
            }
          }
          for (const silence of silences) {
            const { credit, parsed } = outcomeOf(benchmark, item, silence);
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
