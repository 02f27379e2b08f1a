/** Questions in POPE's form about captioned photos: whether there is a thing that captions name, or one that none does. */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { findBenchmark } from "../src/evaluation/index.ts";
import type { LocalModel } from "../src/generation/index.ts";
import { shortAnswerPrompt, userMessage } from "../src/protocol/index.ts";
import { mulberry32 } from "../src/random/index.ts";
import { answersOf, type Photo, thingNames } from "./photo-study.ts";

/** Of a photo's absent things any, the one that photos show most often, or most often together with what this one shows. */
const categories = ["random", "popular", "adversarial"] as const;

/** Two questions of each category about each photo that shows anything, as files that the benchmark reads. */
export function writePope(
  folder: string,
  {
    asked,
    all,
    seed,
  }: { readonly asked: readonly Photo[]; readonly all: readonly Photo[]; readonly seed: number },
): void {
  const random = mulberry32(seed);
  const pick = (things: readonly string[]): string => things[Math.floor(random() * things.length)]!;
  /** How many of some photos show each thing. */
  const shownIn = (among: readonly Photo[]): ReadonlyMap<string, number> =>
    new Map(thingNames.map((thing) => [thing, among.filter(({ shows }) => shows.includes(thing)).length]));
  const shownInAll = shownIn(all);
  const absentThing = (category: (typeof categories)[number], shows: readonly string[]): string => {
    const absent = thingNames.filter((thing) => !shows.includes(thing));
    if (category === "random") return pick(absent);
    const beside = (photo: Photo): boolean => photo.shows.some((thing) => shows.includes(thing));
    const often = category === "popular" ? shownInAll : shownIn(all.filter(beside));
    return absent.toSorted((a, b) => often.get(b)! - often.get(a)!)[0]!;
  };
  mkdirSync(folder, { recursive: true });
  for (const category of categories) {
    const rows = asked
      .filter(({ shows }) => shows.length > 0)
      .flatMap(({ image, shows }) =>
        [
          { thing: pick(shows), label: "yes" },
          { thing: absentThing(category, shows), label: "no" },
        ].map(({ thing, label }) => ({
          image: basename(image),
          text: `Is there a ${thing} in the image?`,
          label,
        })),
      );
    const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    writeFileSync(join(folder, `coco_pope_${category}.json`), lines);
  }
}

interface Question {
  readonly id: string;
  readonly image: string;
  readonly question: string;
}

/** A model's greedy answers by the questions' ids. */
export async function answersToPope(
  model: LocalModel,
  { data, photos }: { readonly data: string; readonly photos: string },
): Promise<Map<string, string>> {
  const items: Question[] = [];
  for await (const item of (await findBenchmark("pope"))!.load({ data })) items.push(item as Question);
  const prompts = items.map(({ image, question }) => ({
    messages: [userMessage(question + shortAnswerPrompt, [join(photos, basename(image))])],
  }));
  const said = await answersOf(model, prompts, { maxTokens: 4 });
  return new Map(items.map(({ id }, i) => [id, said[i]!]));
}
