import type { Metric, Outcome } from "../../benchmark.ts";
import { percentage } from "../../metrics/index.ts";
import { englishNouns } from "../../parsing/index.ts";
import type { DescriptionItem } from "./load.ts";

/** Objects that a description names, against those that are there. */
export function describe({ id, truth, hallu, words }: DescriptionItem, answer: string): Outcome {
  const nouns = englishNouns(answer).flatMap((noun) => words.all.get(noun) ?? []);
  const covered = new Set<number>();
  const expected = new Set<number>();
  const made: string[] = [];
  for (const noun of nouns) {
    if (words.safe.has(noun)) continue;
    const place = placeOf(noun, truth, words.related);
    if (place !== undefined) {
      covered.add(place);
      continue;
    }
    made.push(noun);
    const misled = placeOf(noun, hallu, words.related);
    if (misled !== undefined) expected.add(misled);
  }
  return {
    id,
    credit: nouns.length === 0 ? 1 : 1 - made.length / nouns.length,
    parsed: nouns.map((noun) => (made.includes(noun) ? `${noun} (not there)` : noun)).join(", "),
    truth: truth.join(", "),
    values: {
      nouns: nouns.length,
      made: made.length,
      covered: covered.size,
      objects: truth.length,
      misled: expected.size,
      traps: hallu.length,
    },
  };
}

/** The object that a noun stands for: the first that it is another word for, else the first that it names. */
function placeOf(
  noun: string,
  objects: readonly string[],
  related: ReadonlyMap<string, readonly string[]>,
): number | undefined {
  const other = objects.findIndex((object) => related.get(object)?.includes(noun) ?? false);
  const place = other >= 0 ? other : objects.indexOf(noun);
  return place < 0 ? undefined : place;
}

/** Shares over all descriptions, not means of each one's; Hal is that of descriptions that make something up. */
export function aggregateDescriptions(outcomes: readonly Outcome[]): Metric[] {
  const count = outcomes.length;
  const sum = (name: string): number =>
    outcomes.reduce((total, { values }) => total + (values?.[name] ?? 0), 0);
  const share = (name: string, part: number, whole: number): Metric => ({
    name,
    value: percentage(part, whole),
    count,
    digits: 1,
  });
  const spoilt = outcomes.filter(({ values }) => (values?.["made"] ?? 0) > 0).length;
  return [
    share("chair", sum("made"), sum("nouns")),
    share("cover", sum("covered"), sum("objects")),
    share("hal", spoilt, count),
    share("cog", sum("misled"), sum("traps")),
  ];
}
