import type { Scene } from "../captions/scene.ts";
import { isAgent, isKindOf, pluralNames } from "../language/concepts.ts";
import { agentsOf } from "./agents.ts";
import { type Agreement, agreed, type Question } from "./question.ts";

const garments = new Set(
  "shirt sweater jacket vest dress skirt pants shorts swimsuit wetsuit suit uniform hat helmet scarf costume".split(
    " ",
  ),
);
/** Their colour goes without saying, or hangs on the part that is looked at. */
const colorless = new Set(
  "water ocean lake river snow grass field forest tree hill mountain sand hair person sunglasses glasses fire park street race".split(
    " ",
  ),
);

/** What color is the dog, the ball, the man's shirt? Asked about what the captions name once. */
export function askColors(scene: Scene, { captions }: Agreement): Question[] {
  return coloredThings(scene).flatMap(({ thing, is, votes }) => {
    // "brown" does not deny "brown and white" where two captions say so.
    const often = votes.filter((vote, i) => votes.indexOf(vote) !== i);
    const full = votes.map((vote) => often.find((other) => other !== vote && covers(other, vote)) ?? vote);
    const answer = agreed(full, captions);
    if (answer === undefined || answer.split(" and ").length > 2) return [];
    return [
      {
        type: "color",
        text: `What color ${is} the ${thing}?`,
        answer,
        sentence: `The ${thing} ${is} ${answer}.`,
      },
    ];
  });
}

const covers = (colors: string, part: string): boolean => colors.split(" and ").includes(part);

/** What has a colour and is the only one of its sort, with the colours that captions give it. */
export function coloredThings(scene: Scene): { thing: string; is: string; votes: string[] }[] {
  const one = agentsOf(scene).filter(({ cast }) => cast.number === "one");
  const person = one.find(({ cast }) => isKindOf(cast.concept, "person"));
  const votes = new Map<string, string[]>();
  const several = new Set<string>();
  for (const { phrases, words } of scene.facts) {
    const seen = new Set<string>();
    for (const { concept, colors, plural, end } of phrases) {
      if (concept === undefined || colorless.has(concept) || isKindOf(concept, "person")) continue;
      if (isAgent(concept) && !one.some(({ cast }) => cast.concept === concept)) continue;
      if ((plural && !pluralNames.has(concept)) || (seen.has(concept) && colors.length > 0))
        several.add(concept);
      seen.add(concept);
      // "a dog with white and …" and "blue-eyed": only what stands before the noun counts.
      if (colors.length === 0 || words[end]?.text === "-") continue;
      votes.set(concept, [...(votes.get(concept) ?? []), colors.join(" and ")]);
    }
  }
  return [...votes].flatMap(([concept, said]) => {
    if (several.has(concept)) return [];
    if (garments.has(concept) && person === undefined) return [];
    const thing = garments.has(concept) ? `${person!.name}'s ${concept}` : concept;
    return [{ thing, is: pluralNames.has(concept) ? "are" : "is", votes: said }];
  });
}
