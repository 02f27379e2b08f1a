/**
 * Learns about clips made from captioned photos in the three ways that LLaVA-NeXT-Video was compared in, and measures clips and
 * images before and after.
 *
 *   node proofs/study-video-strategies.ts --photos FOLDER --captions Flickr8k.token.txt --output FOLDER [--train 240] [--test 60]
 *     [--steps 80] [--batch 8] [--stride 2] [--seeds 1] [--json]
 *
 * A clip has four frames of 25 tokens, pooled by --stride: two photos of two frames each, or a crop that moves over one photo. Four kinds of questions, by rule:
 * which of two things is shown first (chance 1/2), how many photos there are (1/2), where the view moves (1/4), and whether a thing
 * is to be seen anywhere (1/2). With their frames shuffled, "first" and "moves" must fall to chance, and "anywhere" must not.
 * Images are asked whether they show a thing, before and after: what is forgotten.
 *
 * Expected beforehand: the model that saw no clip is at chance for "first" and "moves", and above it for "anywhere". Of the three,
 * mixed and separated keep what is known of images at least as well as learning from videos alone; which of them is best on videos is
 * open at this size. A result that says otherwise is a result.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import sharp, { type Sharp } from "sharp";
import { shortAnswerPrompt, userMessage } from "../src/protocol/index.ts";
import { mulberry32 } from "../src/random/index.ts";
import {
  answersOf,
  type Photo,
  readPhotos,
  shareOf,
  shuffled,
  thingNames,
  trained,
  withModel,
} from "./photo-study.ts";

const { values: options } = parseArgs({
  options: {
    photos: { type: "string" },
    captions: { type: "string" },
    output: { type: "string" },
    train: { type: "string", default: "240" },
    test: { type: "string", default: "60" },
    steps: { type: "string", default: "80" },
    batch: { type: "string", default: "8" },
    stride: { type: "string", default: "2" },
    seeds: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const { photos, captions } = options;
if (!photos || !captions || !options.output) throw new Error("--photos, --captions and --output are needed");
const output = resolve(options.output);
const [trainCount, testCount, steps, seeds] = [options.train, options.test, options.steps, options.seeds].map(
  Number,
) as [number, number, number, number];
const SIDE = 224;

const kinds = ["first", "count", "moves", "anywhere"] as const;
type Kind = (typeof kinds)[number];
interface Clip {
  readonly folder: string;
  readonly kind: Kind;
  readonly question: string;
  readonly answer: string;
}

const all = await readPhotos({ photos, captions }, 7);
const named = all.filter(({ shows }) => shows.length > 0);
const [learnt, held] = [named.slice(0, named.length / 2), named.slice(named.length / 2)];

/** Frames of `SIDE`, written once. */
async function writeFrames(folder: string, frames: readonly (() => Promise<Buffer>)[]): Promise<void> {
  if (existsSync(join(folder, `${frames.length - 1}.jpg`))) return;
  mkdirSync(folder, { recursive: true });
  for (const [index, frame] of frames.entries()) writeFileSync(join(folder, `${index}.jpg`), await frame());
}

const jpeg = (picture: Sharp): Promise<Buffer> => picture.jpeg({ quality: 90 }).toBuffer();
const square =
  ({ image }: Photo) =>
  () =>
    jpeg(sharp(image).resize(SIDE, SIDE, { fit: "cover" }));

const moves = ["left", "right", "up", "down"] as const;

/** The view, half as wide as the photo, at one of four places on its way. */
const crop =
  ({ image }: Photo, move: (typeof moves)[number], step: number) =>
  (): Promise<Buffer> => {
    const way = Math.round((step * SIDE) / 3);
    const [back, middle] = [SIDE - way, SIDE / 2];
    const [left, top] = {
      left: [back, middle],
      right: [way, middle],
      up: [middle, back],
      down: [middle, way],
    }[move] as [number, number];
    const whole = sharp(image).resize(2 * SIDE, 2 * SIDE, { fit: "cover" });
    return jpeg(whole.extract({ left, top, width: SIDE, height: SIDE }));
  };

/** Clips of a set of photos, a quarter of each kind. */
async function makeClips(from: readonly Photo[], count: number, name: string, seed: number): Promise<Clip[]> {
  const random = mulberry32(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const clips: Clip[] = [];
  for (let index = 0; index < count; index++) {
    const kind = kinds[index % kinds.length]!;
    const folder = join(output, "clips", `${name}-${index}`);
    const one = pick(from);
    const own = pick(one.shows);
    const others = from.filter(
      ({ shows }) => !shows.includes(own) && !shows.every((thing) => one.shows.includes(thing)),
    );
    const other = pick(others);
    const its = pick(other.shows.filter((thing) => !one.shows.includes(thing)));
    if (kind === "moves") {
      const move = pick(moves);
      await writeFrames(
        folder,
        [0, 1, 2, 3].map((step) => crop(one, move, step)),
      );
      const question = "Does the view move left, right, up or down?";
      clips.push({ folder, kind, question, answer: move });
      continue;
    }
    const isSingle = kind === "count" && random() < 0.5;
    const second = isSingle ? one : other;
    await writeFrames(folder, [square(one), square(one), square(second), square(second)]);
    const shown = new Set([...one.shows, ...second.shows]);
    const absent = thingNames.filter((thing) => !shown.has(thing));
    const isThere = random() < 0.5;
    const thing = pick(isThere ? [...shown] : absent);
    const pair = random() < 0.5 ? [own, its] : [its, own];
    const asked = {
      first: [`Which is shown first, a ${pair[0]} or a ${pair[1]}?`, own],
      count: ["Are these one or two different photos?", isSingle ? "one" : "two"],
      anywhere: [`Is there a ${thing} anywhere?`, isThere ? "yes" : "no"],
    }[kind] as [string, string];
    clips.push({ folder, kind, question: asked[0], answer: asked[1] });
  }
  return clips;
}

interface Asked {
  readonly image: string;
  readonly question: string;
  readonly answer: string;
}

/** Whether a photo shows a thing, yes and no as often. */
const imageQuestions = (from: readonly Photo[], count: number, seed: number): Asked[] => {
  const random = mulberry32(seed);
  return from.slice(0, count).map(({ image, shows }, index) => {
    const things = index % 2 === 0 ? shows : thingNames.filter((thing) => !shows.includes(thing));
    const thing = things[Math.floor(random() * things.length)]!;
    return { image, question: `Is there a ${thing} in the image?`, answer: index % 2 === 0 ? "yes" : "no" };
  });
};

const row = (id: string, medium: object, question: string, answer: string): object => ({
  id,
  ...medium,
  conversations: [
    { from: "human", value: `<image>\n${question}${shortAnswerPrompt}` },
    { from: "gpt", value: answer },
  ],
});

const learntClips = await makeClips(learnt, trainCount, "train", 1);
const testClips = await makeClips(held, testCount, "test", 2);
const learntImages = imageQuestions(learnt, trainCount, 3);
const testImages = imageQuestions(held, testCount, 4);
const rows = [
  ...learntClips.map(({ folder, question, answer }, i) =>
    row(`clip ${i}`, { video: folder }, question, answer),
  ),
  ...learntImages.map(({ image, question, answer }, i) => row(`image ${i}`, { image }, question, answer)),
];

const said = (answer: string): string => (/[a-z]+/.exec(answer.toLowerCase())?.[0] ?? "").trim();

/** Right answers of each kind, and how many there are. */
async function measure(
  folder: string | undefined,
): Promise<Record<string, readonly [right: number, count: number]>> {
  return await withModel(folder, async (model) => {
    const counts: Record<string, readonly [number, number]> = {};
    const order = (index: number): number[] => shuffled([0, 1, 2, 3], 50 + index);
    const ask = (clips: readonly Clip[], frames: (index: number) => readonly number[]) =>
      answersOf(
        model,
        clips.map(({ folder: clip, question }, index) => {
          const video = { frames: frames(index).map((frame) => join(clip, `${frame}.jpg`)) };
          return { messages: [userMessage(question + shortAnswerPrompt, [video])] };
        }),
        { maxTokens: 4, frames: 4 },
      );
    for (const kind of kinds) {
      const clips = testClips.filter((clip) => clip.kind === kind);
      const ways = { [kind]: () => [0, 1, 2, 3], ...(kind !== "count" && { [`${kind}, shuffled`]: order }) };
      for (const [name, frames] of Object.entries(ways)) {
        const answers = await ask(clips, frames);
        counts[name] = [
          answers.filter((answer, i) => said(answer) === clips[i]!.answer).length,
          clips.length,
        ];
      }
    }
    const answers = await answersOf(
      model,
      testImages.map(({ image, question }) => ({
        messages: [userMessage(question + shortAnswerPrompt, [image])],
      })),
      { maxTokens: 4 },
    );
    counts["images"] = [
      answers.filter((answer, i) => said(answer) === testImages[i]!.answer).length,
      testImages.length,
    ];
    return counts;
  });
}

/** Kept as they are found: the same command goes on where it was stopped. */
const kept = join(output, "results.json");
const results: Record<string, Record<string, readonly [number, number]>> = existsSync(kept)
  ? JSON.parse(readFileSync(kept, "utf8"))
  : {};
async function find(name: string, model: () => Promise<string | undefined>): Promise<void> {
  if (name in results) return;
  const started = Date.now();
  results[name] = await measure(await model());
  writeFileSync(kept, JSON.stringify(results));
  console.error(`${name}: ${Math.round((Date.now() - started) / 1000)} s`);
}

await find("no clip seen", async () => undefined);
for (let seed = 1; seed <= seeds; seed++)
  for (const videos of ["only", "separated", "mixed"] as const) {
    const folder = join(output, `${videos}-${seed}`);
    const seen = { rows, images: output, cache: join(output, "features") };
    const fields = {
      data: { videos },
      video: {
        sampling: { rule: "uniform", frames: 4 },
        pooling: { stride: Number(options.stride), mode: "average", place: "before" },
      },
      maxSteps: steps,
      batchSize: Number(options.batch),
      seed,
    } as const;
    await find(`${videos}, seed ${seed}`, () => trained(folder, seen, fields));
  }

if (options.json)
  console.log(
    JSON.stringify(
      { train: trainCount, test: testCount, steps, batch: options.batch, stride: options.stride, results },
      null,
      2,
    ),
  );
else
  for (const [name, counts] of Object.entries(results)) {
    console.log(name);
    for (const [kind, [right, count]] of Object.entries(counts))
      console.log(`  ${kind.padEnd(20)} ${shareOf(right, count)}`);
  }
