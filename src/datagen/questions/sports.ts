import type { Scene } from "../captions/scene.ts";
import { isKindOf } from "../language/concepts.ts";
import { agentsOf } from "./agents.ts";
import { type Agreement, agreed, type Question } from "./question.ts";

const sports = new Map([
  ..."soccer football basketball tennis baseball hockey volleyball rugby softball cricket golf lacrosse polo"
    .split(" ")
    .map((name): [string, string] => [name, name]),
  ...Object.entries({
    surfing: "surfing surfer surfs surfboard",
    skateboarding: "skateboarding skateboarder skateboard skateboards",
    snowboarding: "snowboarding snowboarder snowboard snowboards",
    skiing: "skiing skier skis ski skiers",
    wrestling: "wrestlers wrestler",
    karate: "karate",
    kayaking: "kayak kayaker kayaking kayaks",
  }).flatMap(([sport, words]) => words.split(" ").map((word): [string, string] => [word, sport])),
]);

/** What sport is shown? Asked of photos with people, where captions name one sport alone. */
export function askSports({ facts, named }: Scene, { captions }: Agreement): Question[] {
  if ((named.get("person") ?? 0) < captions || (named.get("animal") ?? 0) > 0) return [];
  const votes = facts.flatMap(({ words }) => [
    ...new Set(words.flatMap(({ text }) => sports.get(text) ?? [])),
  ]);
  const answer = agreed(votes, captions);
  if (answer === undefined || new Set(votes).size > 1) return [];
  return [
    {
      type: "sport",
      text: "What sport is shown in the picture?",
      answer,
      sentence: `The picture shows ${answer}.`,
    },
  ];
}

/** Who is in the picture? Asked where one person is, whom no caption takes for someone else. */
export function askWho(scene: Scene, { captions }: Agreement): Question[] {
  const agents = agentsOf(scene);
  const people = agents.find(({ cast }) => isKindOf(cast.concept, "person"));
  if (people === undefined || people.cast.support < captions + 1) {
    if (people !== undefined) return [];
    const animal = agents.length === 1 ? agents[0] : undefined;
    if (animal === undefined || animal.cast.support < captions + 1 || scene.named.get("person")) return [];
    const { concept } = animal.cast;
    return [
      {
        type: "who",
        text: "What animal is in the picture?",
        answer: concept,
        sentence: `There ${animal.is} ${animal.is === "is" ? `a ${concept}` : animal.name} in the picture.`,
      },
    ];
  }
  const { cast, name, is } = people;
  const plain = new Set(["man", "woman", "boy", "girl", "child"]);
  if (!plain.has(cast.concept) || (scene.namedExactly.get(cast.concept) ?? 0) < captions) return [];
  const sentence = `There ${is} ${is === "is" ? `a ${name}` : name} in the picture.`;
  return [{ type: "who", text: "Who is in the picture?", answer: name, sentence }];
}
