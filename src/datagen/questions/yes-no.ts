import { mulberry32, pick, seedOfText, shuffled } from "../../random/index.ts";
import type { Inventory, Scene } from "../captions/scene.ts";
import { conceptNames, related } from "../language/concepts.ts";
import { isPluralName, withArticle } from "../language/grammar.ts";
import { compatible, present } from "../language/verbs.ts";
import { agentsOf } from "./agents.ts";
import { coloredThings } from "./colors.ts";
import { type Agreement, agreed, type Question, type QuestionType } from "./question.ts";

export interface Balancing {
  readonly seed: number;
  /** For each wording at most this share of the photos with yes, and as many with no. */
  readonly share: number;
}

/** A question, the index of its photo, and the column of an evaluation's table it counts in. */
export interface AskedQuestion extends Question {
  readonly photo: number;
  readonly category: string;
}

/** The most questions of one wording with one answer: a share of the photos. */
const limitFor = (photos: number, share: number): number => Math.max(12, Math.round(share * photos));

/** Named wherever one may be seen without being named: neither is denied in a photo with another of its line. */
const confusable = `
grass field park hill trail track playground tree log forest flower hurdle rock
snow ice mountain ski skier snowboard snowboarder sled
water beach boat kayak canoe raft surfer surfboard wave fountain swimsuit wetsuit puddle bridge slide tube fish duck
sand beach ocean
rock mountain cliff hill trail stairs wall sand
street road sidewalk track trail car bus truck vehicle motorcycle race parade building sign stairs bridge
ball soccer tennis hockey rugby racket bat toy bone hoop
stick bone toy branch log bat
skateboard skateboarder ramp rail
snowboard snowboarder ski
surfboard surfer
bike cyclist motorcycle motorcyclist race helmet cart
hat helmet costume uniform
building house window door wall street stairs fence
chair bench couch table bed
guitar violin drum band microphone stage piano
swing slide playground rope
rope leash collar rail
costume dress skirt uniform suit
sunglasses goggles glasses
food drink cup bottle table cake
phone camera
`
  .trim()
  .split("\n")
  .map((line) => new Set(line.split(" ")));

const mayBeThere = (concept: string, named: string): boolean =>
  related(concept, named) || confusable.some((line) => line.has(concept) && line.has(named));

/** Those that captions leave out although they are there, and those that mean too much. */
const unasked = new Set("toy vehicle board animal hair food drink race tube board wall sign rail".split(" "));
/** One caption's girl is another's woman: neither is asked about where both are named. */
const takenFor = new Map(Object.entries({ man: "boy", boy: "man", woman: "girl", girl: "woman" }));
/** Asked about by their kinds as well: a dog is an animal. */
const kindsAsked = new Set(["person", "water", "ball", "child"]);

/**
 * "Is there a dog in the picture?", as often with yes as with no. Negatives are things that no caption names and that
 * none can mean, half of them ("adversarial") in photos with what often comes together with the thing, as in POPE
 * (arXiv 2305.10355).
 */
export function askPresence(
  scenes: readonly Inventory[],
  { captions }: Agreement,
  { seed, share }: Balancing,
): AskedQuestion[] {
  const limit = limitFor(scenes.length, share);
  const namedIn = ({ named, namedExactly }: Inventory, concept: string): number =>
    (kindsAsked.has(concept) ? named : namedExactly).get(concept) ?? 0;
  const photosWith = new Map(
    conceptNames.map((concept) => [
      concept,
      scenes.flatMap((scene, photo) => (namedIn(scene, concept) > 0 ? [photo] : [])),
    ]),
  );
  const positives = new Map<string, number[]>();
  for (const [concept, photos] of photosWith) {
    const doubted = takenFor.get(concept);
    const sure = photos.filter((photo) => {
      const scene = scenes[photo]!;
      return namedIn(scene, concept) >= captions && !(doubted !== undefined && scene.named.has(doubted));
    });
    const named = photos.reduce((sum, photo) => sum + namedIn(scenes[photo]!, concept), 0);
    const told = photos.reduce((sum, photo) => sum + scenes[photo]!.captions.length, 0);
    // What fewer than two in five captions mention is not known to be absent where nobody mentions it.
    if (!unasked.has(concept) && sure.length >= 4 && named >= 0.4 * told) positives.set(concept, sure);
  }
  const frequent = new Set(
    [...positives]
      .sort(([, a], [, b]) => b.length - a.length)
      .slice(0, 12)
      .map(([concept]) => concept),
  );
  const questions: AskedQuestion[] = [];
  for (const [concept, photos] of positives) {
    const random = mulberry32(seedOfText(seed, `object ${concept}`));
    const companions = companionsOf(concept, photos, photosWith, scenes);
    const used = new Set<number>();
    for (const photo of shuffled(photos, random).slice(0, limit)) {
      const adversarial = companions.length > 0 && random() < 0.5;
      const draw = (): number =>
        adversarial ? pick(companions, random) : Math.floor(random() * scenes.length);
      const absent = firstAbsent(draw, concept, scenes, used);
      if (absent === undefined) continue;
      used.add(absent);
      const category = `yes/no ${adversarial ? "adversarial" : frequent.has(concept) ? "popular" : "random"}`;
      questions.push(objectQuestion(concept, photo, "yes", category));
      questions.push(objectQuestion(concept, absent, "no", category));
    }
  }
  return questions;
}

/** Photos with what the concept comes together with most, by the share of that other's photos. */
function companionsOf(
  concept: string,
  photos: readonly number[],
  photosWith: ReadonlyMap<string, readonly number[]>,
  scenes: readonly Inventory[],
): readonly number[] {
  const together = new Map<string, number>();
  for (const photo of photos)
    for (const other of scenes[photo]!.namedExactly.keys())
      if (!mayBeThere(concept, other)) together.set(other, (together.get(other) ?? 0) + 1);
  const share = ([other, count]: [string, number]): number => count / (photosWith.get(other)!.length + 10);
  const closest = [...together].sort((a, b) => share(b) - share(a)).slice(0, 5);
  return closest.flatMap(([other]) => photosWith.get(other)!);
}

function firstAbsent(
  draw: () => number,
  concept: string,
  scenes: readonly Inventory[],
  used: ReadonlySet<number>,
): number | undefined {
  for (let attempt = 0; attempt < 50; attempt++) {
    const photo = draw();
    if (used.has(photo)) continue;
    if (![...scenes[photo]!.mentioned].some((named) => mayBeThere(concept, named))) return photo;
  }
  return undefined;
}

function objectQuestion(
  concept: string,
  photo: number,
  answer: "yes" | "no",
  category: string,
): AskedQuestion {
  const several = isPluralName(concept);
  const thing = several && answer === "no" ? concept : withArticle(concept);
  const there = several ? "there are" : "there is";
  return {
    type: "yes/no object",
    text: `${several ? "Are" : "Is"} there ${several ? `any ${concept}` : thing} in the picture?`,
    answer,
    sentence:
      answer === "yes"
        ? `Yes, ${there} ${thing} in the picture.`
        : `No, ${there} no ${concept} in the picture.`,
    photo,
    category,
  };
}

/** "Is the dog running?" and "Is the ball red?" with either answer, to be balanced over all photos. */
export const askAffirmation = (scene: Scene, agreement: Agreement, random: () => number): Question[] => [
  ...affirmActions(scene, agreement, random),
  ...affirmColors(scene, agreement, random),
];

/** Captions that tell these apart are about the same moment. */
const contradicts = (one: string, other: string): boolean =>
  !compatible(one, other) || (one === "walk" && other === "run") || (one === "run" && other === "walk");

const deniable =
  "run walk jump stand sit lie swim climb play dance swing slide surf ski snowboard eat drink sleep fight crawl skateboard read kayak fly".split(
    " ",
  );

function affirmActions(scene: Scene, { captions }: Agreement, random: () => number): Question[] {
  const all = new Set(scene.facts.flatMap(({ actions }) => actions.map(({ verb }) => verb)));
  return agentsOf(scene).flatMap(({ name, is, actions }) => {
    const verbs = actions.flatMap((ofCaption) => [...new Set(ofCaption.map(({ verb }) => verb))]);
    const votes = (verb: string): number => verbs.filter((other) => other === verb).length;
    const denied = (verb: string): boolean =>
      [...all].some((other) => contradicts(verb, other) && votes(other) >= votes(verb));
    const sure = new Set(verbs.filter((verb) => votes(verb) >= captions && !denied(verb)));
    if (sure.size === 0) return [];
    const absent = deniable.filter((verb) => ![...all].some((other) => compatible(verb, other)));
    const subject = `the ${name}`;
    return [
      ...deniable
        .filter((verb) => sure.has(verb))
        .map((verb) => affirmation("yes/no action", subject, is, present(verb), "yes")),
      ...shuffled(absent, random)
        .slice(0, 8)
        .map((verb) => affirmation("yes/no action", subject, is, present(verb), "no")),
    ];
  });
}

const alike = [
  "brown tan gold orange blond",
  "white gray silver",
  "red pink orange",
  "blue purple",
  "yellow gold",
].map((line) => new Set(line.split(" ")));
const plainColors = "black white red blue green yellow orange pink brown".split(" ");

function affirmColors(scene: Scene, { captions }: Agreement, random: () => number): Question[] {
  return coloredThings(scene).flatMap(({ thing, is, votes }) => {
    const color = agreed(votes, captions);
    if (color === undefined || !plainColors.includes(color)) return [];
    const said = votes.flatMap((vote) => vote.split(" and "));
    const near = (one: string, other: string): boolean =>
      one === other || alike.some((line) => line.has(one) && line.has(other));
    const absent = plainColors.filter((other) => !said.some((one) => near(one, other)));
    return [
      affirmation("yes/no color", `the ${thing}`, is, color, "yes"),
      ...shuffled(absent, random)
        .slice(0, 4)
        .map((other) => affirmation("yes/no color", `the ${thing}`, is, other, "no")),
    ];
  });
}

const affirmation = (
  type: QuestionType,
  subject: string,
  is: string,
  what: string,
  answer: "yes" | "no",
): Question => ({
  type,
  text: `${is === "is" ? "Is" : "Are"} ${subject} ${what}?`,
  answer,
  sentence: answer === "yes" ? `Yes, ${subject} ${is} ${what}.` : `No, ${subject} ${is} not ${what}.`,
});

/** For each wording as many with yes as with no, so that the words alone tell nothing. */
export function balanceYesNo(
  questions: readonly AskedQuestion[],
  photos: number,
  { seed, share }: Balancing,
): AskedQuestion[] {
  const limit = limitFor(photos, share);
  const byText = new Map<string, { yes: AskedQuestion[]; no: AskedQuestion[] }>();
  for (const question of questions) {
    const both = byText.get(question.text) ?? { yes: [], no: [] };
    both[question.answer as "yes" | "no"].push(question);
    byText.set(question.text, both);
  }
  return [...byText].flatMap(([text, { yes, no }]) => {
    const random = mulberry32(seedOfText(seed, text));
    const count = Math.min(yes.length, no.length, limit);
    return [...shuffled(yes, random).slice(0, count), ...shuffled(no, random).slice(0, count)];
  });
}
