/** What people and animals do in photos. A line is "verb: other verbs for the same". */
const table = `
run: jog, sprint, gallop, dash
walk: stroll
jump: leap, hop
stand
sit
lie: lay
swim
climb
ride
play
dance
swing
slide
surf
ski
snowboard
skateboard
kayak: paddle
eat: chew
drink
sleep: nap
read
sing
fish
fight: wrestle
kiss
hug
dig
dive
crawl
kick
throw
catch
chase
hold
carry
wear
pull: tow
push
splash
wade
hike
fly
smile
laugh
pose
talk: chat
look: stare, gaze
watch
wave
point
lean
hang
kneel
bend
sniff
lick
bite
roll
shake
fetch
paint
cook
smoke
row
sail
hit
bounce
flip
cross
blow
clap
cheer
crouch
squat
drive
race
skate
sled
spin
bat
dribble
rest: relax
shop
work
wash
`;

/** "ride" → "riding" */
export function present(verb: string): string {
  if (verb.endsWith("ie")) return `${verb.slice(0, -2)}ying`;
  if (verb.endsWith("e") && !verb.endsWith("ee")) return `${verb.slice(0, -1)}ing`;
  return /^[^aeiou]*[aeiou][bdgmnpt]$/.test(verb) ? `${verb}${verb.at(-1)}ing` : `${verb}ing`;
}

function thirdPerson(verb: string): string {
  if (/[^aeiou]y$/.test(verb)) return `${verb.slice(0, -1)}ies`;
  return /(s|sh|ch|x|z|ss)$/.test(verb) ? `${verb}es` : `${verb}s`;
}

export type VerbForm = "present" | "third" | "base";

const forms = new Map<string, { verb: string; form: VerbForm }>();
for (const line of table.trim().split("\n")) {
  const [verb = "", others = ""] = line.split(":").map((part) => part.trim());
  for (const name of [verb, ...others.split(", ").filter(Boolean)]) {
    forms.set(present(name), { verb, form: "present" });
    forms.set(thirdPerson(name), { verb, form: "third" });
    forms.set(name, { verb, form: "base" });
  }
}

export const verbForm = (word: string): { verb: string; form: VerbForm } | undefined => forms.get(word);

/** Verbs that say little without an object: no answer to what someone is doing. */
export const transitive: ReadonlySet<string> = new Set(
  "hold carry wear ride hit push pull throw catch chase kick watch look point cross fetch blow wash bite hang lean shake hug kiss bat drive".split(
    " ",
  ),
);

const together = [
  "run walk jump chase race play kick dribble hike catch fetch throw hit cross bounce",
  "swim splash wade dive play jump run surf",
  "jump fly flip dive swing skateboard ride snowboard ski surf slide catch throw kick dance bounce play",
  "climb hike hang walk jump",
  "sit rest read talk smile laugh look watch drink eat smoke hold pose play sing lean fish paint swing slide ride kayak row sled drive work cook wash shop blow",
  "stand smile laugh look watch talk hold pose lean wave point sing play drink eat smoke kiss hug fish cook paint read carry wash shop blow work clap cheer walk fight",
  "lie sleep rest look roll smile pose read play chew bite",
  "crouch squat kneel bend sit look dig play crawl rest",
  "skateboard ride slide jump flip",
  "ski snowboard slide jump race sled fly",
].map((line) => new Set(line.split(" ")));

/** False where one who does the one is surely not doing the other. */
export const compatible = (one: string, other: string): boolean =>
  one === other || together.some((set) => set.has(one) && set.has(other));
