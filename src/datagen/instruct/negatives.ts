import { mulberry32, pick, seedOfText, shuffled } from "../../random/index.ts";
import type { Reader } from "../language/english-reader.ts";
import { withArticle } from "../language/grammar.ts";
import { classesThere, cocoClasses } from "./grounding.ts";
import type { SceneItem } from "./item.ts";
import type { Turn } from "./kind.ts";

/** Turns of an item that become a row. */
export interface Conversation {
  readonly item: SceneItem;
  readonly turns: readonly Turn[];
}

const wordings = [
  (thing: string): string => `Is there ${withArticle(thing)} in the image?`,
  (thing: string): string => `Can you see ${withArticle(thing)} in this photo?`,
  (thing: string): string => `Does the picture show ${withArticle(thing)}?`,
];

/** Whose names have no article: "scissors", "skis". */
const askable = cocoClasses.filter((name) => !/^(scissors|skis|broccoli|person)$/.test(name));

export const saysYes = (answer: string): boolean => /^yes\b/i.test(answer);
export const saysNo = (answer: string): boolean => /^no\b/i.test(answer);

/**
 * Teachers that are told what there is ask about that, so that nearly all their yes/no questions have the answer yes, and a
 * model learns it. This adds questions about things that are not there, at the end of conversations, until both answers are
 * as frequent; about things that are, where it is the other way round. Absent is what neither boxes nor captions name, half
 * of the time something that often comes with what is there (after POPE, arXiv 2305.10355). Items without boxes get none.
 * @returns turns to add by the place of the conversation
 */
export function balancingTurns(
  conversations: readonly Conversation[],
  read: Reader,
  seed: number,
): Map<number, Turn[]> {
  let [yes, no] = [0, 0];
  for (const { turns } of conversations)
    for (const { answer } of turns) {
      if (saysYes(answer)) yes++;
      if (saysNo(answer)) no++;
    }
  const added = new Map<number, Turn[]>();
  const there = conversations.map(({ item }) =>
    item.boxes.length > 0 ? classesThere(item, read) : undefined,
  );
  const boxed = there.flatMap((classes, place) => (classes === undefined ? [] : [place]));
  const together = companions(conversations.map(({ item }) => item));
  const random = mulberry32(seedOfText(seed, "negatives"));
  // No conversation gets a second one before all have had a first.
  for (let round = 0; round < 3 && yes !== no; round++)
    for (const place of shuffled(boxed, random)) {
      if (yes === no) break;
      const isNegative = yes > no;
      const turn = isNegative
        ? negative(there[place]!, together, random)
        : positive(conversations[place]!.item, random);
      const known = [...conversations[place]!.turns, ...(added.get(place) ?? [])];
      if (turn === undefined || known.some(({ question }) => question === turn.question)) continue;
      added.set(place, [...(added.get(place) ?? []), turn]);
      if (isNegative) no++;
      else yes++;
    }
  return added;
}

function negative(
  there: ReadonlySet<string>,
  together: ReadonlyMap<string, readonly string[]>,
  random: () => number,
): Turn | undefined {
  const absent = askable.filter((name) => !there.has(name));
  const likely = [...there]
    .flatMap((name) => together.get(name) ?? [])
    .filter((name) => absent.includes(name));
  const thing = random() < 0.5 && likely.length > 0 ? pick(likely, random) : pick(absent, random);
  return {
    question: pick(wordings, random)(thing),
    answer: `No, there is no ${thing} in the image.`,
  };
}

function positive({ boxes }: SceneItem, random: () => number): Turn | undefined {
  const present = askable.filter((name) => boxes.some(({ category }) => category === name));
  if (present.length === 0) return undefined;
  const thing = pick(present, random);
  const several = boxes.filter(({ category }) => category === thing).length > 1;
  return {
    question: pick(wordings, random)(thing),
    answer: several
      ? `Yes, there is more than one ${thing} in the image.`
      : `Yes, there is ${withArticle(thing)} in the image.`,
  };
}

/** Classes that come together with each most often. */
function companions(items: readonly SceneItem[]): Map<string, readonly string[]> {
  const counts = new Map<string, Map<string, number>>();
  for (const { boxes } of items) {
    const names = [...new Set(boxes.map(({ category }) => category))];
    for (const name of names) {
      const others = counts.get(name) ?? new Map<string, number>();
      counts.set(name, others);
      for (const other of names)
        if (other !== name && askable.includes(other)) others.set(other, (others.get(other) ?? 0) + 1);
    }
  }
  const best = (others: ReadonlyMap<string, number>): string[] =>
    [...others]
      .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
      .slice(0, 6)
      .map(([name]) => name);
  return new Map([...counts].map(([name, others]) => [name, best(others)]));
}
