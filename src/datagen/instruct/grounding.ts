import type { Reader } from "../language/english-reader.ts";
import type { SceneItem } from "./item.ts";

/** COCO's classes with other words for them; what is told apart only by its words alone. */
const table = `
person: man, woman, boy, girl, child, kid, people, men, women, children, baby, toddler, lady, gentleman, guy, player, rider, skier, surfer, skateboarder, snowboarder, batter, catcher, pitcher, pedestrian, passenger, spectator, crowd, cyclist, chef, driver, motorcyclist, couple, family, human, adult, individual, someone, somebody, audience, team, worker, customer, diner, athlete, onlooker, teenager, commuter, shopper, tourist, visitor
bicycle: bike, cyclist
car: automobile, taxi, cab, suv, sedan, vehicle, traffic
motorcycle: motorbike, scooter, moped, motorcyclist, bike
airplane: plane, aeroplane, jet, aircraft, airliner
bus: vehicle
train: locomotive, tram, subway
truck: pickup, lorry, vehicle, van
boat: ship, sailboat, yacht, canoe, kayak, ferry
traffic light: stoplight, traffic signal, stop light
fire hydrant: hydrant
stop sign
parking meter
bench: seat
bird: duck, goose, seagull, pigeon, parrot, chicken, swan, gull, geese
cat: kitten
dog: puppy
horse: pony
sheep: lamb
cow: cattle, bull, calf
elephant
bear: teddy bear, cub
zebra
giraffe
backpack: knapsack, bag
umbrella: parasol
handbag: purse, bag
tie: necktie
suitcase: luggage, baggage, bag
frisbee: disc, disk
skis: ski
snowboard
sports ball: ball, football, baseball, basketball, tennis ball, soccer ball
kite
baseball bat: bat
baseball glove: mitt, glove
skateboard
surfboard
tennis racket: racket, racquet, tennis racquet
bottle
wine glass: glass
cup: mug, glass
fork: silverware, cutlery, utensil
knife: silverware, cutlery, utensil
spoon: silverware, cutlery, utensil
bowl: dish
banana
apple
sandwich: burger, hamburger
orange
broccoli
carrot
hot dog: hotdog
pizza
donut: doughnut
cake: cupcake
chair: seat, armchair, stool
couch: sofa
potted plant: plant, houseplant
bed
dining table: table, desk
toilet
tv: television, monitor, screen
laptop: computer, notebook
mouse
remote: remote control, controller
keyboard
cell phone: phone, cellphone, smartphone, telephone
microwave
oven: stove
toaster
sink
refrigerator: fridge
book: magazine
clock
vase
scissors
teddy bear: bear, stuffed animal
hair drier: hair dryer, hairdryer
toothbrush
`;

/** Words for classes, most of them for one. */
const classesOf = new Map<string, string[]>();
export const cocoClasses: readonly string[] = table
  .trim()
  .split("\n")
  .map((line) => {
    const [name = "", others = ""] = line.split(":");
    for (const word of [name, ...others.split(",").map((other) => other.trim())])
      if (word !== "") classesOf.set(word, [...(classesOf.get(word) ?? []), name]);
    return name;
  });

/** Words that mean other things as often: a grin may be orange, a road in a mouse's colour. They do not count as mentions. */
const unsure = new Set(
  "orange glass bag seat vehicle dish plant screen notebook disc disk table mouse remote crowd couple family team worker individual bat glove controller desk monitor bike traffic utensil bear driver passenger visitor tourist customer shopper commuter diner pedestrian audience spectator adult human someone somebody".split(
    " ",
  ),
);

/** Classes a text may name, for what is there: every meaning of each word. @param isSure leaves out words of several meanings */
export function classesNamed(
  text: string,
  read: Reader,
  { isSure = false } = {},
): Map<string, readonly string[]> {
  const words = read(text);
  const named = new Map<string, readonly string[]>();
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    const next = words[index + 1];
    const pair =
      next &&
      (classesOf.has(`${word.text} ${next.lemma}`)
        ? `${word.text} ${next.lemma}`
        : `${word.text} ${next.text}`);
    if (pair !== undefined && classesOf.has(pair)) {
      named.set(pair, classesOf.get(pair)!);
      index++;
      continue;
    }
    if (isSure && (!/^(NOUN|PROPN|PRON)$/.test(word.pos) || unsure.has(word.lemma))) continue;
    for (const form of [word.text, word.lemma])
      if (classesOf.has(form)) {
        named.set(form, classesOf.get(form)!);
        break;
      }
  }
  return named;
}

export interface Grounding {
  /** Words of classes that answers name. */
  readonly mentioned: readonly string[];
  /** Of those: what neither boxes nor captions have. */
  readonly unsupported: readonly string[];
}

/** Classes that boxes or captions of an item name. */
export function classesThere({ captions, boxes }: SceneItem, read: Reader): ReadonlySet<string> {
  const there = new Set(boxes.map(({ category }) => category));
  for (const caption of captions)
    for (const classes of classesNamed(caption, read).values()) for (const name of classes) there.add(name);
  return there;
}

/** What is said not to be there, asked about, or only thought of, is not claimed. */
const unclaimed =
  /\b(no|not|n't|without|none|never|nor|neither|if|could|might|may|would|should|such as|like|or|avoid|potential|possibly|perhaps)\b/i;

/** What the sentences of answers claim of COCO's classes, held against boxes and captions. */
export function grounding(answers: readonly string[], item: SceneItem, read: Reader): Grounding {
  const there = classesThere(item, read);
  const mentioned = new Set<string>();
  const unsupported = new Set<string>();
  for (const sentence of answers.flatMap((answer) => answer.split(/(?<=[.!?])\s+/))) {
    if (unclaimed.test(sentence)) continue;
    for (const [word, classes] of classesNamed(sentence, read, { isSure: true })) {
      mentioned.add(word);
      if (!classes.some((name) => there.has(name))) unsupported.add(word);
    }
  }
  return { mentioned: [...mentioned], unsupported: [...unsupported] };
}
