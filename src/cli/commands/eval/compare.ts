import { dirname, join } from "node:path";
import type { Command } from "commander";
import type { Comparison, Flip, OutcomeRow, Result } from "../../../evaluation/index.ts";
import { wholeNumber } from "../../frame/model-options.ts";
import { table } from "../../frame/table.ts";

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
    "../../../evaluation/index.ts"
  );
  const [one, two] = [await readResult(first), await readResult(second)];
  const { gained, lost, ...comparison } = await compareResults(
    await findBenchmark(one.benchmark),
    { result: one, outcomes: readOutcomes(first, one) },
    { result: two, outcomes: readOutcomes(second, two) },
    { force },
  );
  const listed = await link([gained.slice(0, limit), lost.slice(0, limit)], second, two, readOutcomes);
  const counts = { gained: gained.length, lost: lost.length };
  if (json)
    console.log(JSON.stringify({ ...comparison, counts, gained: listed[0], lost: listed[1] }, null, 2));
  else console.log(show(comparison, counts, listed, formatMetric));
}

/** A flip with its place in the second result's outcomes, which hold the whole question and answer. */
interface LinkedFlip extends Flip {
  readonly where: string;
  readonly question: string;
  readonly images: readonly string[];
}

type Both<Value> = readonly [gained: Value, lost: Value];

async function link(
  flips: Both<readonly Flip[]>,
  path: string,
  result: Pick<Result, "outcomes">,
  read: (path: string, result: Pick<Result, "outcomes">) => AsyncIterable<OutcomeRow>,
): Promise<Both<LinkedFlip[]>> {
  const wanted = new Set(flips.flat().map(({ id }) => id));
  const found = new Map<string, Pick<LinkedFlip, "where" | "question" | "images">>();
  const file = join(dirname(path), result.outcomes);
  let line = 0;
  for await (const { id, prompt, images } of read(path, result)) {
    line++;
    if (wanted.has(id)) found.set(id, { where: `${file}:${line}`, question: prompt, images });
  }
  const linked = (some: readonly Flip[]): LinkedFlip[] =>
    some.map((flip) => ({ ...flip, ...found.get(flip.id)! }));
  return [linked(flips[0]), linked(flips[1])];
}

function show(
  comparison: Omit<Comparison, "gained" | "lost">,
  counts: { readonly gained: number; readonly lost: number },
  [gained, lost]: Both<readonly LinkedFlip[]>,
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
    flips("better", counts.gained, gained),
    flips("worse", counts.lost, lost),
  ].join("\n");
}

const pValue = (p: number): string => (p < 0.0001 ? p.toExponential(1) : p.toFixed(4));

const leftOut = ({ onlyFirst, onlySecond }: Pick<Comparison, "onlyFirst" | "onlySecond">): string =>
  onlyFirst + onlySecond === 0
    ? ""
    : `; left out: ${onlyFirst} of the first alone, ${onlySecond} of the second`;

function flips(word: string, count: number, listed: readonly LinkedFlip[]): string {
  const credit = (value: number): string => String(Math.round(value * 1000) / 1000);
  const lines = listed.flatMap(({ id, before, after, where, question, images }) => [
    `  ${id}: ${credit(before)} → ${credit(after)}  ${where}`,
    `    ${[...images.filter((image) => !image.startsWith("data:")), excerpt(question)].join("  ")}`,
  ]);
  const more = count > listed.length ? [`  and ${count - listed.length} more (--limit)`] : [];
  return [`${count} ${word}${count > 0 ? ":" : ""}`, ...lines, ...more].join("\n");
}

/** The question on one line, cut short. */
function excerpt(prompt: string): string {
  const text = prompt.replaceAll("<image>", " ").replace(/\s+/g, " ").trim();
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
