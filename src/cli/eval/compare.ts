import type { Command } from "commander";
import type { Comparison, Flip } from "../../evaluation/index.ts";
import { wholeNumber } from "../model-options.ts";
import { table } from "./table.ts";

interface CompareFlags {
  readonly json?: boolean;
  readonly limit: number;
  readonly force?: boolean;
}

export function configure(command: Command): void {
  command
    .description("Compare two results of one benchmark, question by question.")
    .argument("<first>", "JSON file of llava eval run or score")
    .argument("<second>", "the one that may be better")
    .option("--json", "print as JSON")
    .option("--limit <n>", "questions to list each way", wholeNumber, 10)
    .option("--force", "compare although the prompts differ")
    .addHelpText("after", "\nExample:\n  llava eval compare pope-7b.json pope-13b.json")
    .action(run);
}

async function run(first: string, second: string, { json, limit, force }: CompareFlags): Promise<void> {
  const { compareResults, findBenchmark, formatMetric, readOutcomes, readResult } = await import(
    "../../evaluation/index.ts"
  );
  const [one, two] = [await readResult(first), await readResult(second)];
  const comparison = await compareResults(
    await findBenchmark(one.benchmark),
    { result: one, outcomes: readOutcomes(first, one) },
    { result: two, outcomes: readOutcomes(second, two) },
    { force },
  );
  if (json) {
    const { gained, lost, ...rest } = comparison;
    const flips = { gained: gained.slice(0, limit), lost: lost.slice(0, limit) };
    const counts = { gained: gained.length, lost: lost.length };
    return console.log(JSON.stringify({ ...rest, counts, ...flips }, null, 2));
  }
  console.log(show(comparison, limit, formatMetric));
}

function show(
  comparison: Comparison,
  limit: number,
  format: (value: number, digits: number) => string,
): string {
  const { benchmark, split, models, headline, values, difference, digits, shared, p, mcnemar } = comparison;
  const number = (value: number): string => format(value, digits);
  const signed = (value: number): string => `${value > 0 ? "+" : ""}${number(value)}`;
  const [low, high] = comparison.interval;
  const rows = [
    ...models.map((model, side) => [model, number(values[side]!), ""]),
    ["difference", signed(difference), `[${signed(low)}, ${signed(high)}]`],
  ];
  const tests = [
    `p = ${pValue(p)} by permutation`,
    mcnemar !== null && `${pValue(mcnemar)} by McNemar's exact test`,
  ];
  return [
    `${benchmark} (${split}), ${shared} questions${leftOut(comparison)}`,
    table(["model", headline, "95 % interval"], rows),
    tests.filter(Boolean).join(", "),
    ...comparison.warnings.map((warning) => `Note: ${warning}.`),
    flips("better", comparison.gained, limit),
    flips("worse", comparison.lost, limit),
  ].join("\n");
}

const pValue = (p: number): string => (p < 0.0001 ? p.toExponential(1) : p.toFixed(4));

const leftOut = ({ onlyFirst, onlySecond }: Comparison): string =>
  onlyFirst + onlySecond === 0
    ? ""
    : `; left out: ${onlyFirst} of the first alone, ${onlySecond} of the second`;

function flips(word: string, found: readonly Flip[], limit: number): string {
  const credit = (value: number): string => String(Math.round(value * 1000) / 1000);
  const listed = found
    .slice(0, limit)
    .map(({ id, before, after }) => `  ${id}: ${credit(before)} → ${credit(after)}`);
  const more = found.length > limit ? [`  and ${found.length - limit} more (--limit)`] : [];
  return [`${found.length} ${word}${found.length > 0 ? ":" : ""}`, ...listed, ...more].join("\n");
}
