/**
 * Decoding and preprocessing 32 frames of clips at 336 pixels, beside PyAV with transformers' video processor in the same run:
 *
 *   taskset -c 0 node bench/video.ts CLIP… [--python PATH] [--frames 32] [--repeats 5] [--row 200] [--json]
 *
 * `taskset` holds both sides, and the program ffmpeg, to one core. Then the clips are read in a row, as many as --row says, and the
 * process's memory must stay what it was after the first tenth. The Python (or $PYTHON) needs av, torch, torchvision and
 * transformers; without it only this project is measured.
 */
import { parseArgs } from "node:util";
import {
  clipImageConfig,
  gatherPixels,
  type PixelValues,
  preprocess,
} from "../src/processing/image/index.ts";
import { openVideo, sampleFrames } from "../src/processing/video/index.ts";
import { median, Peer } from "./peer.ts";

const { values: flags, positionals: clips } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    frames: { type: "string", default: "32" },
    repeats: { type: "string", default: "5" },
    row: { type: "string", default: "200" },
    json: { type: "boolean", default: false },
  },
});
if (clips.length === 0) throw new Error("name one clip or more");
const SIDE = 336;
const [frames, repeats, row] = [flags.frames, flags.repeats, flags.row].map(Number) as [
  number,
  number,
  number,
];
const config = { ...clipImageConfig(SIDE), arithmetic: "torch" } as const;

async function pixelsOf(path: string): Promise<PixelValues> {
  const video = await openVideo({ path });
  const { indices } = sampleFrames({ rule: "uniform", frames }, video);
  return await gatherPixels(video.frames(indices), indices.length, (frame, into) =>
    preprocess(frame, config, undefined, into),
  );
}

/** Seconds for all clips, one after the other. */
async function seconds(): Promise<number> {
  const started = performance.now();
  for (const clip of clips) await pixelsOf(clip);
  return (performance.now() - started) / 1000;
}

const script = new URL("video_peer.py", import.meta.url).pathname;
const peer = await Peer.start(flags.python, [script, String(SIDE), flags.frames, ...clips], {
  env: { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" },
});
const [own, others]: [number[], number[]] = [[], []];
for (let repeat = 0; repeat <= repeats; repeat++) {
  const [mine, its] = [await seconds(), peer && (await peer.ask("run"))];
  if (repeat === 0) continue; // the first of each warms it up
  own.push(mine);
  if (its !== undefined) others.push(its);
}
peer?.close();
const speedup = others.length > 0 ? median(others) / median(own) : undefined;

const mebibytes = (): number => Math.round(process.memoryUsage().rss / 2 ** 20);
const memory: number[] = [];
for (let index = 0; index < row; index++) {
  await pixelsOf(clips[index % clips.length]!);
  if ((index + 1) % Math.ceil(row / 10) === 0) memory.push(mebibytes());
}

const found = { frames, clips: clips.length, own: median(own), peer: others.length > 0 && median(others) };
if (flags.json) console.log(JSON.stringify({ ...found, speedup, memory }));
else {
  console.log(`llava: ${found.own.toFixed(2)} s for ${frames} frames of each of ${clips.length} clips`);
  if (peer) console.log(`${peer.name}: ${median(others).toFixed(2)} s; ${speedup!.toFixed(2)}× as fast`);
  console.log(`memory after each tenth of ${row} clips: ${memory.join(", ")} MiB`);
}
const [first = 0, last = 0] = [memory[0], memory.at(-1)];
if (last > 1.1 * first + 16) throw new Error(`memory grew from ${first} to ${last} MiB`);
