import type { Scene } from "../captions/scene.ts";
import { isAgent, isKindOf } from "../language/concepts.ts";
import { plural, withArticle } from "../language/grammar.ts";
import type { NounPhrase } from "../language/noun-phrases.ts";
import { present } from "../language/verbs.ts";
import { agentsOf } from "./agents.ts";
import { type Agreement, agreed, type Question } from "./question.ts";

/** Verbs, with the prepositions that may stand between them and their object. */
const relations = new Map<string, readonly string[]>([
  ...["ride", "hold", "carry", "catch", "throw", "chase", "kick", "eat", "push", "hug", "kiss"].map(
    (verb): [string, string[]] => [verb, [""]],
  ),
  ["pull", [""]],
  ["climb", ["", "on"]],
  ["sit", ["on"]],
  ["lie", ["on"]],
  ["stand", ["on"]],
  ["jump", ["over", "on", "off"]],
  ["slide", ["on"]],
  ["swing", ["on"]],
  ["play", ["with"]],
]);

/** Too unspecific to be an answer. */
const vague = new Set(
  "person animal something object thing item other one side top front edge air way back game hand hands arm midair mouth jump trick ride ground camera".split(
    " ",
  ),
);

const headwear = new Set(["hat", "helmet", "headband", "hood", "mask", "goggles"]);

/** What is the man riding? What is the dog jumping over? What is in its mouth, what on the head? */
export function askObjects(scene: Scene, { captions }: Agreement): Question[] {
  const questions: Question[] = [];
  for (const { cast, name, is, actions } of agentsOf(scene)) {
    const votes = new Map<string, string[]>();
    for (const { verb, preposition = "", object } of actions.flat()) {
      if (object === undefined || !(relations.get(verb)?.includes(preposition) ?? false)) continue;
      const answer = nameOf(object);
      if (answer === undefined) continue;
      const phrase = `${present(verb)} ${preposition}`.trim();
      votes.set(phrase, [...(votes.get(phrase) ?? []), answer]);
    }
    for (const [phrase, answers] of votes) {
      const answer = agreed(merged(answers), captions);
      if (answer === undefined) continue;
      questions.push({
        type: "object",
        text: `What ${is} the ${name} ${phrase}?`,
        answer,
        sentence: `The ${name} ${is} ${phrase} ${named(answer, phrase)}.`,
      });
    }
    if (cast.number !== "one") continue;
    if (cast.concept === "dog") {
      const answer = agreed(merged(inMouth(scene)), captions);
      if (answer !== undefined)
        questions.push({
          type: "object",
          text: `What is in the ${name}'s mouth?`,
          answer,
          sentence: `The ${name} has ${withArticle(answer)} in its mouth.`,
        });
    }
    if (!isKindOf(cast.concept, "person")) continue;
    const worn = scene.facts.flatMap(({ phrases }) => [
      ...new Set(phrases.flatMap(({ concept }) => (concept && headwear.has(concept) ? concept : []))),
    ]);
    const answer = agreed(worn, captions);
    if (answer !== undefined && answer !== "mask" && answer !== "goggles")
      questions.push({
        type: "object",
        text: `What is the ${name} wearing on the head?`,
        answer,
        sentence: `The ${name} is wearing ${withArticle(answer)}.`,
      });
  }
  return questions;
}

const grounds = new Set("water snow ice grass sand beach street road sidewalk field".split(" "));

const named = (answer: string, phrase: string): string =>
  phrase.includes(" ") && grounds.has(answer) ? `the ${answer}` : withArticle(answer);

function nameOf(phrase: NounPhrase): string | undefined {
  const { concept, head, plural: several } = phrase;
  if (concept === undefined || vague.has(concept) || vague.has(head)) return undefined;
  if (isAgent(concept) && several) return undefined;
  return several ? plural(concept) : concept;
}

/** "ball" stands for "tennis ball" where another caption tells which; "bicycle" for "bike", which people say more. */
const merged = (answers: readonly string[]): string[] =>
  answers.map((answer) =>
    answer === "bicycle"
      ? "bike"
      : (answers.find((other) => other !== answer && other.endsWith(` ${answer}`)) ?? answer),
  );

function inMouth({ facts }: Scene): string[] {
  return facts.flatMap(({ words, phrases }) => {
    const holding = phrases.find(
      ({ end }) =>
        words[end]?.text === "in" &&
        /^(its|his|her|their|the)$/.test(words[end + 1]?.text ?? "") &&
        words[end + 2]?.text === "mouth",
    );
    return (holding && nameOf(holding)) ?? [];
  });
}
