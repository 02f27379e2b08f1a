/**
 * Decoding and CLIP preprocessing of JPEG photos at 336 pixels, images per second on one thread, beside
 * transformers' CLIPImageProcessor with Pillow in the same run:
 *
 *   node bench/image.ts [--python PATH] [--images 32] [--repeats 7] [--tiles] [--json]
 *
 * With --tiles: AnyRes of decoded photos of 1920×1080, without the decoding, beside transformers' LlavaNextImageProcessor.
 *
 * The Python (or $PYTHON) needs pillow, numpy and transformers; without it only this project is measured.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { clipImageConfig, decodeImage, preprocess, type Tiling } from "../src/processing/image/index.ts";
import { median, Peer } from "./peer.ts";
import { photo } from "./photo.ts";

const SIDE = 336;

type Contestant = { readonly name: string; run(): Promise<number>; close(): void };

const FIVE = [
  [1, 2],
  [2, 1],
  [2, 2],
  [3, 1],
  [1, 3],
].map(([rows, columns]) => ({
  width: columns! * SIDE,
  height: rows! * SIDE,
}));
const NEXT: Tiling = {
  resolutions: FIVE,
  side: SIDE,
  merge: { order: "unpad", overview: true, rounding: "round" },
};

/** Seconds for all photos, one after the other; with tiles they are decoded before. */
async function ours(paths: readonly string[], tiles: boolean): Promise<Contestant> {
  const config = { ...clipImageConfig(SIDE), ...(tiles && { tiling: NEXT }) };
  const decoded = tiles ? await Promise.all(paths.map((path) => decodeImage(path))) : undefined;
  return {
    name: "llava",
    async run() {
      const start = performance.now();
      for (const [index, path] of paths.entries())
        preprocess(decoded?.[index] ?? (await decodeImage(path)), config);
      return (performance.now() - start) / 1000;
    },
    close() {},
  };
}

/** image_peer.py, which answers each line with its seconds; undefined where it cannot run. */
async function peer(
  python: string,
  backend: string,
  paths: readonly string[],
): Promise<Contestant | undefined> {
  const script = new URL("image_peer.py", import.meta.url).pathname;
  const started = await Peer.start(python, [script, backend, String(SIDE), ...paths]);
  return started && { name: started.name, run: () => started.ask("run"), close: () => started.close() };
}

const { values: flags } = parseArgs({
  options: {
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    images: { type: "string", default: "32" },
    repeats: { type: "string", default: "7" },
    tiles: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

sharp.concurrency(1);
const folder = await mkdtemp(join(tmpdir(), "llava-bench-"));
try {
  const count = Number(flags.images);
  const size = flags.tiles ? { width: 1920, height: 1080 } : { width: 640, height: 480 };
  const paths = Array.from({ length: count }, (_, index) => join(folder, `${index}.jpg`));
  for (const [index, path] of paths.entries()) await writeFile(path, await photo(index, size));

  const contestants = [await ours(paths, flags.tiles)];
  for (const backend of flags.tiles ? ["next-pil", "next-torchvision"] : ["pil", "torchvision"]) {
    const found = await peer(flags.python, backend, paths);
    if (found) contestants.push(found);
  }
  const times = contestants.map((): number[] => []);
  for (const contestant of contestants) await contestant.run(); // warms up
  for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
    for (const [index, contestant] of contestants.entries()) times[index]!.push(await contestant.run());
  }
  for (const contestant of contestants) contestant.close();

  const own = median(times[0]!);
  const results = contestants.map(({ name }, index) => ({
    name,
    imagesPerSecond: count / median(times[index]!),
    best: count / Math.min(...times[index]!),
    // Rounds are compared in pairs, so that a busy machine slows both sides of a ratio.
    speedup: index === 0 ? 1 : median(times[index]!.map((time, round) => time / times[0]![round]!)),
  }));
  if (flags.json) {
    const photos = { count, ...size, side: SIDE };
    console.log(
      JSON.stringify({ bench: "image", photos, repeats: Number(flags.repeats), seconds: own, results }),
    );
  } else {
    for (const { name, imagesPerSecond, best, speedup } of results) {
      const ratio = name === results[0]!.name ? "" : `   llava is ${speedup.toFixed(2)}× as fast`;
      console.log(
        `${name.padEnd(44)} ${imagesPerSecond.toFixed(0).padStart(5)} images/s (best ${best.toFixed(0)})${ratio}`,
      );
    }
  }
} finally {
  await rm(folder, { recursive: true });
}
