import type { CaptionFacts } from "../captions/caption-facts.ts";
import type { Scene } from "../captions/scene.ts";
import { agentsOf } from "./agents.ts";
import { type Agreement, agreed, type Question } from "./question.ts";

/** Concepts of places, and the phrase that answers where. */
const phrases = new Map(
  Object.entries({
    beach: "on the beach",
    sand: "on the beach",
    snow: "in the snow",
    grass: "on the grass",
    field: "in a field",
    pool: "in a pool",
    ocean: "in the ocean",
    wave: "in the ocean",
    lake: "in a lake",
    river: "in a river",
    water: "in the water",
    street: "on the street",
    sidewalk: "on the sidewalk",
    road: "on the road",
    trail: "on a trail",
    forest: "in the woods",
    park: "in a park",
    playground: "on a playground",
    stage: "on a stage",
    bench: "on a bench",
    bed: "on a bed",
    couch: "on a couch",
    boat: "in a boat",
    kayak: "in a kayak",
    track: "on a track",
    swing: "on a swing",
    slide: "on a slide",
    trampoline: "on a trampoline",
    ramp: "on a ramp",
    mountain: "on a mountain",
    cliff: "on a cliff",
    rock: "on a rock",
    stairs: "on the stairs",
    ice: "on the ice",
    tree: "in a tree",
    fountain: "in a fountain",
    bridge: "on a bridge",
    tent: "in a tent",
  }),
);

const inside = new Set("in on through across along down at into onto over up".split(" "));
const wet = new Set(["in a pool", "in the ocean", "in a lake", "in a river", "in a fountain"]);

/** Where is the dog? Asked where captions name the same place and no other as often. */
export function askPlaces(scene: Scene, { captions }: Agreement): Question[] {
  const said = scene.facts.map(placesOf);
  const all = new Set(said.flat());
  const votes = said.flatMap((places) => [
    ...new Set(places.map((place) => (place === "in the water" ? precise(all) : place))),
  ]);
  const answer = agreed(mergedGrass(votes), captions);
  if (answer === undefined) return [];
  return agentsOf(scene)
    .slice(0, 1)
    .map(({ name, is }) => ({
      type: "place" as const,
      text: `Where ${is} the ${name}?`,
      answer,
      sentence: `The ${name} ${is} ${answer}.`,
    }));
}

function placesOf({ words, phrases: nouns }: CaptionFacts): string[] {
  return nouns.flatMap(({ start, concept, head }) => {
    const preposition = words[start - 1]?.text ?? "";
    if (concept === undefined || !inside.has(preposition) || head === "step") return [];
    const beyond = words[start - 2]?.text === "next" || words[start - 2]?.text === "looking";
    return beyond ? [] : (phrases.get(concept) ?? []);
  });
}

/** Which water it is, if a caption tells. */
function precise(all: ReadonlySet<string>): string {
  const waters = [...all].filter((place) => wet.has(place));
  return waters.length === 1 ? waters[0]! : "in the water";
}

/** Lawns and fields are told apart by few: grass wins if anyone names it. */
const mergedGrass = (votes: readonly string[]): string[] =>
  votes.includes("on the grass")
    ? votes.map((vote) => (vote === "in a field" ? "on the grass" : vote))
    : [...votes];
