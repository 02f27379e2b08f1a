/**
 * What captions name, by the name answers use. A line is "name < kinds: other names"; whatever one of a kind is named
 * also is one of the kind, so that no question denies it. Names of two words win over those of one.
 */
const table = `
person: human, someone, somebody, individual, adult, player, rider, performer, athlete, spectator, onlooker, figure, pedestrian, passenger, parent, teenager, teen, student, worker, singer, musician, dancer, runner, swimmer, diver, climber, hiker, camper, tourist, driver, photographer, artist, fan, friend, opponent, teammate, competitor, participant, officer, soldier, clown, batter, pitcher, goalie, referee, instructor, coach, face, fisherman
cyclist < person: bicyclist, biker
surfer < person
skateboarder < person: skater
snowboarder < person
skier < person
motorcyclist < person
man < person: guy, gentleman, male, fellow, men, dude, cowboy, father, dad, grandfather, husband
woman < person: lady, female, mother, mom, bride, cheerleader, grandmother, ballerina, wife
child < person: kid, toddler, baby, infant, youngster, preschooler
boy < child: son
girl < child: daughter
animal
dog < animal: puppy, pup, doggy, greyhound, poodle, bulldog, dachshund, terrier, collie, retriever, labrador, lab, husky, shepherd, dalmatian, pug, beagle, rottweiler, doberman, hound, spaniel, corgi, boxer dog, pitbull, canine, mutt, golden retriever, german shepherd, border collie
cat < animal: kitten
horse < animal: pony, colt, mare, stallion
cow < animal: bull, cattle, calf, ox
sheep < animal: lamb, ram
goat < animal
bird < animal: seagull, gull, pigeon, parrot, eagle, hawk, pelican, heron, crane bird
duck < bird: duckling
goose < bird
fish < animal
elephant < animal
monkey < animal
camel < animal
deer < animal
rabbit < animal: bunny
squirrel < animal
bear < animal
zebra < animal
giraffe < animal
water
ocean < water: sea, surf
wave < ocean
lake < water: pond
river < water: stream, creek, brook
pool < water: swimming pool, kiddie pool, wading pool
fountain < water: water fountain
puddle < water
waterfall < water
beach: seashore, shore, shoreline, seaside, coast
sand < beach: sand dune, dune
snow: snowbank, snow bank, snowy field, snowy hill, snowdrift
ice
grass: lawn
field < grass: meadow, pasture, grassy field, soccer field, football field, baseball field
park
forest < tree: woods, wood
tree: branch, trunk
log < tree
mountain < rock: mountainside, peak, mountaintop
hill < mountain: hillside, slope
cliff < rock, mountain
rock: boulder, stone, rock wall, rock face, rock formation
road: highway, dirt road, lane
street < road: alley, crosswalk, city street, intersection
sidewalk < street: pavement, curb
track: racetrack, race track, dirt track, railroad track
trail < road: path, pathway, dirt path
bridge
building < house
house < building: home, cabin, hut, store, shop, restaurant, church, barn
stage
playground
slide: water slide
swing: tire swing, swing set
trampoline
ramp: skateboard ramp, half pipe, halfpipe
stairs: stair, staircase, step, stairway, stairwell
bench: park bench
chair: seat, armchair
couch < chair: sofa
bed
table: picnic table, desk
tent
fence: gate, railing
rail: railing, handrail
wall
window
door: doorway
mirror
ball: 
soccer ball < ball
tennis ball < ball
basketball < ball
football < ball, soccer ball
baseball < ball
volleyball < ball
rugby ball < football
frisbee: disc, disk
toy
stick: branch, twig
bone
bat: baseball bat
racket: racquet, tennis racket
bike: dirt bike, mountain bike, cycle, bmx bike, quad bike
bicycle < bike
motorcycle < bike: motorbike, motocross bike, moped
scooter < motorcycle
skateboard < board
board
surfboard < board: surf board
snowboard < board: snow board
ski
sled: sleigh, toboggan
kayak < boat
canoe < boat
raft < boat
boat: sailboat, ship, rowboat
car < vehicle: race car, racecar, suv, jeep, automobile, taxi
truck < car: pickup
bus < vehicle
train < vehicle: subway
vehicle
tractor < vehicle
cart: stroller, wagon, shopping cart
airplane: plane, jet, helicopter
balloon
bubble
kite
guitar: electric guitar, instrument, musical instrument
drum: drum set
violin
piano: keyboard
microphone
camera: video camera
phone: cellphone, cell phone, telephone
laptop: computer
book: magazine, newspaper
sign: banner
flag
umbrella: parasol
rope: leash
leash < rope
hurdle: obstacle, bar
hoop: hula hoop
tunnel
tube: inner tube
bucket
bag: purse, handbag, suitcase
backpack < bag
bottle: water bottle
cup: mug
drink: beer, wine, soda, coffee
cigarette: cigar, pipe
food: meal
ice cream < food: ice cream cone
cake < food
pizza < food
apple < food
hot dog < food
flower
fire: campfire, bonfire, flame
statue: sculpture
mask
costume: outfit
shirt: tshirt, jersey, blouse, tank top, polo shirt
sweater < jacket, shirt: sweatshirt, hoodie
jacket: coat, windbreaker, snowsuit, parka
vest: life vest, life jacket
dress: gown
skirt
pants: trousers, jeans
shorts
swimsuit: bikini, bathing suit, swimming trunks, swim trunks, trunk, swimming suit, swim suit
wetsuit: wet suit
suit
uniform
hat: cap, beanie, baseball cap, cowboy hat
helmet
goggles
sunglasses: shade
glasses: eyeglasses
scarf
gloves: glove
tie
collar
boots: boot
shoes: shoe, sneaker
hair
soccer
tennis
hockey
rugby
race
band: orchestra
parade
graffiti
`;

const parents = new Map<string, string[]>();
const conceptOfName = new Map<string, string>();
for (const line of table.trim().split("\n")) {
  const [head = "", others = ""] = line.split(":");
  const [name = "", kinds = ""] = head.split("<").map((part) => part.trim());
  parents.set(name, [...(parents.get(name) ?? []), ...list(kinds)]);
  conceptOfName.set(name, name);
  for (const other of list(others)) if (!conceptOfName.has(other)) conceptOfName.set(other, name);
}

function list(text: string): string[] {
  return text.split(",").flatMap((part) => part.trim() || []);
}

/** Garments and others that English has in the plural alone. */
export const pluralNames: ReadonlySet<string> = new Set(
  "stairs pants shorts goggles sunglasses glasses gloves boots shoes".split(" "),
);

const kindsByConcept = new Map<string, ReadonlySet<string>>();

/** The concept itself and every kind above it. */
export function kindsOf(concept: string): ReadonlySet<string> {
  const known = kindsByConcept.get(concept);
  if (known !== undefined) return known;
  const kinds = new Set([concept]);
  for (const kind of kinds) for (const parent of parents.get(kind) ?? []) kinds.add(parent);
  kindsByConcept.set(concept, kinds);
  return kinds;
}

/** All concepts, in the order of the table. */
export const conceptNames: readonly string[] = [...parents.keys()];

/** The concept that a noun or a pair of nouns names, both as lemmas. */
export const conceptNamed = (name: string): string | undefined => conceptOfName.get(name);

export const isKindOf = (concept: string, kind: string): boolean => kindsOf(concept).has(kind);

/** True if naming one leaves open that the other is there too: one is a kind of the other. */
export const related = (one: string, other: string): boolean => isKindOf(one, other) || isKindOf(other, one);

/** People and animals: what can do something. */
export const isAgent = (concept: string): boolean =>
  isKindOf(concept, "person") || isKindOf(concept, "animal");

/** The closest kind that all of these are of; undefined where they have nothing in common. */
export const sharedKind = (concepts: readonly string[]): string | undefined =>
  [...kindsOf(concepts[0]!)].find((kind) => concepts.every((concept) => isKindOf(concept, kind)));

/**
 * The one concept that all these names may mean, the most precise: "person" and "man" is a man, "boy" and "man" some
 * person. Undefined where they have nothing in common.
 */
export function commonConcept(concepts: readonly string[]): string | undefined {
  const precise = concepts.reduce((best, next) => (isKindOf(next, best) ? next : best));
  return concepts.every((concept) => isKindOf(precise, concept)) ? precise : sharedKind(concepts);
}
