import { type Scene, speciesOf } from "../captions/scene.ts";
import { plural } from "../language/grammar.ts";
import { numberWord } from "../language/noun-phrases.ts";
import type { Agreement, Question } from "./question.ts";

/** How many dogs, or people, are in the picture? Asked where all captions that count them agree. */
export function askCounts({ casts }: Scene, { captions }: Agreement): Question[] {
  return casts.flatMap(({ concept, count, support }) => {
    const species = speciesOf(concept);
    const answer = count === undefined ? undefined : numberWord(count);
    if (answer === undefined || support < captions + 1 || species === "animal") return [];
    const things = plural(species);
    const sentence =
      count === 1
        ? `There is one ${species} in the picture.`
        : `There are ${answer} ${things} in the picture.`;
    return [{ type: "count", text: `How many ${things} are in the picture?`, answer, sentence }];
  });
}
