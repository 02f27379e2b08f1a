import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { mulberry32, pick, shuffled } from "../../src/random/index.ts";

/** A question that someone might have asked. */
export interface AskedPhoto {
  readonly image: string;
  readonly question: string;
}

/** How many of what a builder of benchmarks has to find. */
export interface Plants {
  readonly reencoded: number;
  readonly cut: number;
  readonly mirrored: number;
  readonly training: number;
  readonly personal: number;
}

export interface PlantedPool {
  readonly pool: string;
  readonly training: { readonly rows: string; readonly images: string };
  /** Names of pairs of images, the original first. */
  readonly copies: Readonly<Record<"reencoded" | "cut" | "mirrored", readonly (readonly [string, string])[]>>;
  /** Names of images that were trained on, and of those with personal data. */
  readonly trained: readonly string[];
  readonly personal: readonly string[];
}

const secrets = [
  "Write to anna.schmidt@example.org about it.",
  "Call me at +49 170 1234567.",
  "My number is (415) 555-0132, what is it?",
  "The account is DE89 3704 0044 0532 0130 00.",
  "Was this taken at 48.858370, 2.294481?",
];

/**
 * A pool of questions about photos with copies of some among them, personal data in others (every fourth in the file's EXIF data), and
 * a training set that has some of the photos, half of them mirrored or cut.
 */
export async function plantPool(
  folder: string,
  photos: readonly AskedPhoto[],
  plants: Plants,
  seed = 1,
): Promise<PlantedPool> {
  const random = mulberry32(seed);
  const images = join(folder, "images");
  const trained = join(folder, "trained");
  for (const path of [images, trained]) mkdirSync(path, { recursive: true });
  const order = shuffled([...photos], random);
  const take = (count: number): AskedPhoto[] => order.splice(0, count);
  const rows = new Map(photos.map((photo) => [photo.image, { ...photo }] as const));
  const lines: { image: string; question: string }[] = [];
  const copied = async (
    name: "reencoded" | "cut" | "mirrored",
    count: number,
    change: (photo: Sharp, width: number, height: number) => Sharp,
  ) => {
    const pairs: (readonly [string, string])[] = [];
    for (const { image, question } of take(count)) {
      const copy = join(images, `${name}-${basename(image)}`);
      const { width, height } = await sharp(image).metadata();
      await change(sharp(image), width, height).toFile(copy);
      lines.push({ image: copy, question });
      pairs.push([basename(image), basename(copy)]);
    }
    return pairs;
  };
  const copies = {
    reencoded: await copied("reencoded", plants.reencoded, (photo, width) =>
      photo
        .resize({ width: Math.round(width * (0.5 + random() / 2)) })
        .jpeg({ quality: 30 + Math.floor(60 * random()) }),
    ),
    cut: await copied("cut", plants.cut, cutBy(random, 0.1)),
    mirrored: await copied("mirrored", plants.mirrored, (photo) => photo.flop().jpeg()),
  };
  const trainedNames: string[] = [];
  const training: object[] = [];
  for (const [place, { image }] of take(plants.training).entries()) {
    const name = `trained-${basename(image)}`;
    const photo = sharp(image);
    const { width, height } = await photo.metadata();
    const changed = [photo, photo.flop(), cutBy(random, 0.1)(photo, width, height)][place % 3]!;
    await changed.jpeg({ quality: 70 }).toFile(join(trained, name));
    trainedNames.push(basename(image));
    const conversations = [
      { from: "human", value: "<image>\nTell me." },
      { from: "gpt", value: "It is what it is." },
    ];
    training.push({ id: name, image: name, conversations });
  }
  const personal: string[] = [];
  for (const [place, { image }] of take(plants.personal).entries()) {
    const row = rows.get(image)!;
    if (place % 4 === 3) {
      const placed = join(images, `placed-${basename(image)}`);
      await sharp(image)
        .jpeg()
        .withExif({ IFD3: { GPSLatitudeRef: "N", GPSLatitude: "48/1 51/1 30/1" } })
        .toFile(placed);
      rows.set(image, { ...row, image: placed });
      personal.push(basename(placed));
    } else {
      rows.set(image, { ...row, question: `${row.question} ${secrets[place % secrets.length]!}` });
      personal.push(basename(image));
    }
  }
  const pool = join(folder, "pool.jsonl");
  const all = shuffled([...rows.values(), ...lines], random);
  writeFileSync(pool, all.map((line) => `${JSON.stringify({ ...line, source: "made up" })}\n`).join(""));
  const trainingRows = join(folder, "trained.json");
  writeFileSync(trainingRows, JSON.stringify(training));
  return { pool, training: { rows: trainingRows, images: trained }, copies, trained: trainedNames, personal };
}

/** Cuts up to a share away at each side. */
const cutBy =
  (random: () => number, most: number) =>
  (photo: Sharp, width: number, height: number): Sharp => {
    const side = (size: number): number => Math.floor(size * most * random());
    const [left, right, top, bottom] = [side(width), side(width), side(height), side(height)];
    return photo.extract({ left, top, width: width - left - right, height: height - top - bottom }).jpeg();
  };

const things = ["dog", "ball", "tree", "boat", "house", "child", "horse", "bridge"];
const doings = ["doing", "looking at", "made of", "standing on", "hiding behind", "waiting for"];

/** Pictures of shapes in many colours, none like another, and a question about each. */
export async function drawPhotos(folder: string, count: number, seed = 1): Promise<AskedPhoto[]> {
  mkdirSync(folder, { recursive: true });
  const random = mulberry32(seed);
  const colour = (): string =>
    `hsl(${Math.floor(360 * random())} ${30 + Math.floor(60 * random())}% ${15 + Math.floor(70 * random())}%)`;
  const photos: AskedPhoto[] = [];
  for (let place = 0; place < count; place++) {
    const [width, height] = [240 + 20 * Math.floor(12 * random()), 180 + 20 * Math.floor(9 * random())];
    const shapes = Array.from({ length: 14 }, () => {
      const [x, y, a, b] = [random() * width, random() * height, 10 + random() * 90, 10 + random() * 70];
      return random() < 0.5
        ? `<ellipse cx="${x}" cy="${y}" rx="${a}" ry="${b}" fill="${colour()}"/>`
        : `<rect x="${x}" y="${y}" width="${a}" height="${b}" fill="${colour()}" transform="rotate(${90 * random()} ${x} ${y})"/>`;
    });
    const image = join(folder, `photo-${String(place).padStart(4, "0")}.jpg`);
    const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="${colour()}"/>${shapes.join("")}</svg>`;
    await sharp(Buffer.from(drawing)).jpeg({ quality: 90 }).toFile(image);
    photos.push({
      image,
      question: `What is the ${pick(things, random)} ${pick(doings, random)} the ${pick(things, random)} number ${place}?`,
    });
  }
  return photos;
}
