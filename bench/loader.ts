/**
 * How fast training's images are loaded: JPEG photos of 640×480, decoded and preprocessed to the pixels of CLIP at 336, by
 * the training thread itself and by worker threads:
 *
 *   node bench/loader.ts [--images 256] [--repeats 5] [--quality 85] [--workers 0,1,2] [--json]
 *
 * Images per second of the clock, and per second of processor time over all threads ("per core"): the latter is what one
 * core can feed, whatever else the machine does, and the best of the repeats is the least disturbed one.
 */
import { parseArgs } from "node:util";
import { LoadingPool, type RowLoader, rowLoaderHere } from "../src/data/index.ts";
import { LlavaError } from "../src/errors.ts";
import { clipImageConfig, releaseMemory } from "../src/processing/image/index.ts";
import { openProcessor, sourceWithoutModel } from "../src/processing/processor/index.ts";
import { median } from "./peer.ts";
import { photo } from "./photo.ts";

const { values: flags } = parseArgs({
  options: {
    images: { type: "string", default: "256" },
    repeats: { type: "string", default: "5" },
    quality: { type: "string", default: "85" },
    workers: { type: "string", default: "0,1,2" },
    json: { type: "boolean", default: false },
  },
});
const [images, repeats, quality] = [flags.images, flags.repeats, flags.quality].map(Number) as [
  number,
  number,
  number,
];
/** Images that are asked for at a time, as for a step of training. */
const stepSize = 32;

const photos = await Promise.all(Array.from({ length: 16 }, (_, seed) => photo(seed, quality)));
const folder = new URL("../test/fixtures/tokenizer/llama2", import.meta.url).pathname;
const source = { ...sourceWithoutModel({ folder }, { name: "v1" }, 576), image: clipImageConfig(336) };

/** Wall and processor seconds for all images. */
async function run(loader: RowLoader): Promise<{ wall: number; processor: number }> {
  const [started, used] = [performance.now(), process.cpuUsage()];
  for (let start = 0; start < images; start += stepSize) {
    const step = Array.from({ length: Math.min(stepSize, images - start) }, (_, i) => start + i);
    const loaded = await Promise.all(
      step.map((i) =>
        loader.load({ folder, images: [{ name: String(i), bytes: photos[i % photos.length]! }] }),
      ),
    );
    for (const pixels of loaded.flatMap((one) => one.pixels)) {
      if (pixels instanceof LlavaError) throw pixels;
      releaseMemory(pixels.data); // as training does once it has made a tensor of them
    }
  }
  const { user, system } = process.cpuUsage(used);
  return { wall: (performance.now() - started) / 1e3, processor: (user + system) / 1e6 };
}

const results = [];
for (const workers of flags.workers.split(",").map(Number)) {
  using loader =
    workers === 0 ? rowLoaderHere(await openProcessor(source)) : new LoadingPool(source, workers);
  await run(loader); // warms up
  const times = [];
  for (let repeat = 0; repeat < repeats; repeat++) times.push(await run(loader));
  const perSecond = (seconds: readonly number[], of: (values: readonly number[]) => number) =>
    images / of(seconds);
  const [wall, processor] = [times.map((time) => time.wall), times.map((time) => time.processor)];
  const best = (values: readonly number[]): number => Math.min(...values);
  results.push({
    workers,
    imagesPerSecond: perSecond(wall, median),
    perCore: perSecond(processor, median),
    bestPerCore: perSecond(processor, best),
  });
}
const bytes = Math.round(photos.reduce((sum, { length }) => sum + length, 0) / photos.length);
if (flags.json) {
  const what = { width: 640, height: 480, quality, bytes, side: 336 };
  console.log(JSON.stringify({ bench: "loader", photos: what, images, repeats, results }));
} else {
  console.log(`${images} JPEGs of 640×480, quality ${quality}, ${bytes} bytes each, to 336×336:`);
  for (const { workers, imagesPerSecond, perCore, bestPerCore } of results) {
    const rates = [imagesPerSecond, perCore, bestPerCore].map((rate) => rate.toFixed(0).padStart(5));
    const where = workers === 0 ? "training's thread" : `${workers} worker thread${workers > 1 ? "s" : ""}`;
    console.log(`${where.padEnd(18)} ${rates[0]} images/s, per core ${rates[1]} (best ${rates[2]})`);
  }
}
