/**
 * What captions call the 80 categories of COCO: a category, then other names for it or for its kinds. Written for this
 * project and under its licence.
 */
const table = `
person: human, people, man, men, woman, women, child, children, kid, boy, girl, baby, toddler, infant, adult, lady, gentleman, gentlemen, guy, fellow, male, female, teenager, teen, youth, mother, mom, father, dad, parent, grandmother, grandfather, grandparent, brother, sister, son, daughter, husband, wife, wives, bride, groom, couple, family, crowd, friend, individual, pedestrian, passenger, passerby, passersby, bystander, onlooker, spectator, audience, tourist, visitor, guest, customer, shopper, commuter, driver, pilot, rider, cyclist, bicyclist, biker, motorcyclist, skater, skateboarder, skier, snowboarder, surfer, swimmer, runner, jogger, hiker, climber, camper, player, athlete, batter, pitcher, catcher, umpire, referee, goalie, coach, teammate, opponent, competitor, worker, employee, chef, cook, baker, waiter, waitress, bartender, vendor, farmer, fisherman, fishermen, policeman, policemen, policewoman, firefighter, fireman, officer, soldier, guard, sailor, doctor, nurse, dentist, patient, teacher, student, businessman, businessmen, businesswoman, cowboy, musician, singer, dancer, performer, artist, photographer, model, volunteer, owner, sitter
bicycle: bike, cycle, tricycle, mountain bike
car: automobile, sedan, suv, minivan, hatchback, convertible, limousine, limo, taxi, cab, van, jeep, police car, patrol car, race car
motorcycle: motorbike, motor bike, motor cycle, scooter, moped, dirt bike
airplane: plane, aeroplane, aircraft, airliner, jet, jetliner, biplane, seaplane, air plane, fighter jet
bus: minibus, school bus, double decker, trolleybus, coach bus
train: locomotive, tram, streetcar, subway train, railcar, steam engine
truck: pickup, lorry, tanker, semi, trailer truck, fire engine, dump truck, pickup truck, fire truck, tow truck, garbage truck
boat: ship, sailboat, rowboat, canoe, kayak, yacht, ferry, motorboat, speedboat, gondola, dinghy, raft, vessel, barge, tugboat, cruise ship
traffic light: traffic signal, stoplight, stop light, street signal, traffic lamp
fire hydrant: hydrant, fireplug
stop sign
parking meter
bench: park bench, pew
bird: pigeon, dove, seagull, gull, duck, duckling, goose, geese, swan, ostrich, owl, hawk, eagle, falcon, parrot, peacock, pelican, penguin, heron, flamingo, crow, raven, sparrow, robin, chicken hen, hen, rooster, turkey bird, vulture, woodpecker, hummingbird, finch, cockatiel, stork, crane bird
cat: kitten, kitty, tabby, feline
dog: puppy, pup, hound, canine, terrier, poodle, bulldog, dachshund, beagle, retriever, labrador, spaniel, collie, corgi, husky, pug, chihuahua, mutt, sheepdog
horse: pony, foal, colt, mare, stallion, racehorse
sheep: lamb, ram, ewe
cow: cattle, calf, calves, bull, ox, oxen, steer, heifer
elephant
bear: polar bear, grizzly, black bear, brown bear, panda
zebra
giraffe
backpack: knapsack, rucksack
umbrella: parasol
handbag: purse, hand bag, tote bag, shoulder bag
tie: necktie, bowtie, bow tie, neck tie
suitcase: luggage, baggage, briefcase, suit case
frisbee: flying disc, flying disk
skis: ski
snowboard: snow board
sports ball: ball, baseball ball, basketball, football, soccer ball, tennis ball, volleyball
kite
baseball bat: bat
baseball glove: mitt, catcher mitt, baseball mitt
skateboard: skate board
surfboard: surf board, longboard, bodyboard
tennis racket: racket, racquet, tennis racquet
bottle: flask, wine bottle, water bottle, beer bottle
wine glass: wineglass, goblet, champagne glass, champagne flute
cup: mug, teacup, tumbler, coffee cup, paper cup
fork
knife: knives, dagger, butter knife
spoon: teaspoon, tablespoon, ladle
bowl: salad bowl, soup bowl
banana: plantain
apple
sandwich: burger, hamburger, cheeseburger, panini, wrap sandwich, bagel sandwich
orange: tangerine, mandarin, clementine
broccoli
carrot
hot dog: hotdog, frankfurter, corn dog
pizza
donut: doughnut
cake: cupcake, cheesecake, birthday cake, wedding cake, shortcake
chair: armchair, stool, seat, recliner, rocking chair, wheelchair, lawn chair, high chair, office chair
couch: sofa, loveseat, futon, settee
potted plant: houseplant, house plant, pot plant, plant in a pot, flower pot, bonsai
bed: bunk bed, mattress
dining table: table, desk, kitchen table, coffee table, picnic table
toilet: urinal, toilet bowl, toilet seat, commode, lavatory
tv: television, television set, tv set, flat screen, monitor, computer monitor, computer screen
laptop: notebook computer, macbook, laptop computer
mouse: mice, computer mouse
remote: remote control, game controller, wii remote
keyboard: computer keyboard
cell phone: cellphone, smartphone, iphone, mobile, mobile phone, phone, smart phone
microwave: microwave oven
oven: stove, range oven, stove top, stovetop oven
toaster
sink: washbasin, wash basin, basin
refrigerator: fridge, freezer, mini fridge
book: novel, magazine, textbook, cookbook
clock: clock face, alarm clock, wristwatch, clock tower
vase: flower vase
scissors: scissor, shears
teddy bear: stuffed bear, teddy, stuffed animal
hair drier: hair dryer, hairdryer, blow dryer, hairdrier
toothbrush: tooth brush
`;

/**
 * Names that hold another object's name and are none themselves, or are another one: "baseball game" has no ball in it
 * that anyone sees, a "bear cub" is a bear, a "passenger jet" holds no passenger.
 */
const exceptions: Readonly<Record<string, string>> = {
  "passenger jet": "airplane",
  "passenger plane": "airplane",
  "passenger train": "train",
  "passenger car": "train",
  "train car": "train",
  "baby elephant": "elephant",
  "baby bear": "bear",
  "baby bird": "bird",
  "baby cow": "cow",
  "baby giraffe": "giraffe",
  "baby zebra": "zebra",
  "baby horse": "horse",
  "baby sheep": "sheep",
  "baby goat": "",
  "adult elephant": "elephant",
  "adult bear": "bear",
  "adult giraffe": "giraffe",
  "adult zebra": "zebra",
  "adult horse": "horse",
  "male giraffe": "giraffe",
  "male lion": "",
  "mother bear": "bear",
  "mother elephant": "elephant",
  "mother cow": "cow",
  "hot dog bun": "",
  "dog house": "",
  "cat food": "",
  "dog food": "",
  "bird house": "",
  "bird cage": "",
  "bus stop": "",
  "bus station": "",
  "train station": "",
  "train track": "",
  "train platform": "",
  "boat dock": "",
  "car door": "car",
  "car seat": "car",
  "bike rack": "",
  "bike lane": "",
  "baseball game": "",
  "baseball field": "",
  "football field": "",
  "football game": "",
  "basketball court": "",
  "basketball game": "",
  "volleyball net": "",
  "tennis table": "",
  "book shelf": "",
  "book case": "",
  "pizza oven": "oven",
  "apple pie": "",
  "apple tree": "",
  "apple computer": "",
  "orange juice": "",
  "carrot cake": "cake",
  "banana bread": "",
  "orange cone": "",
  "table cloth": "",
  "sink faucet": "sink",
  "phone booth": "",
  "tv stand": "",
  "tv show": "",
  "home plate": "",
  "license plate": "",
  "snow man": "",
  "couple of": "",
  "family room": "",
  "living room": "",
  "ski slope": "",
  "ski lift": "",
  "ski resort": "",
  "ski pole": "",
  "ski jacket": "",
  "ski mask": "",
  "kite string": "kite",
  "horse drawn": "horse",
  "bear cub": "bear",
  "seat of the toilet": "toilet",
  "men room": "",
  "women room": "",
  "men restroom": "",
  "women restroom": "",
  "ladies room": "",
};

const vowelled = /[^aeiou]y$/;

/** Plurals by rule; those that follow none are in the table. */
function plural(name: string): string {
  if (/(?:s|x|ch|sh)$/.test(name)) return `${name}es`;
  return vowelled.test(name) ? `${name.slice(0, -1)}ies` : `${name}s`;
}

const categories = new Map<string, string>();
for (const line of table.trim().split("\n")) {
  const [category = "", others = ""] = line.split(": ");
  for (const name of [category, ...others.split(", ").filter((other) => other !== "")])
    for (const form of [name, plural(name)]) categories.set(form, category);
}
for (const [name, category] of Object.entries(exceptions))
  for (const form of [name, plural(name)]) categories.set(form, category);

const longest = Math.max(...Array.from(categories.keys(), (name) => name.split(" ").length));

/** The categories of the objects that a caption names, one for each mention, in its order; the longest name counts. */
export function objectsNamed(caption: string): string[] {
  const words =
    caption
      .toLowerCase()
      .replace(/['’]s\b/g, "")
      .match(/\p{L}+/gu) ?? [];
  const named: string[] = [];
  for (let start = 0; start < words.length; ) {
    let length = Math.min(longest, words.length - start);
    while (length > 0 && !categories.has(words.slice(start, start + length).join(" "))) length--;
    const category = categories.get(words.slice(start, start + length).join(" "));
    if (category !== undefined && category !== "") named.push(category);
    start += Math.max(1, length);
  }
  return named;
}

/** All categories, as COCO names them. */
export const cocoCategories: ReadonlySet<string> = new Set(
  table
    .trim()
    .split("\n")
    .map((line) => line.split(": ")[0]!),
);
