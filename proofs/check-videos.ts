/**
 * Reads clips as PyAV does: the number of frames, which of them are taken, and the bytes of each must be the same.
 *
 *   node proofs/check-videos.ts FOLDER --python PATH [--frames 8] [--json]
 *
 * All video files in the folder and below it are read; the Python needs av and numpy. A file that PyAV cannot read must be
 * refused here too. Clips that are turned upright, or show frames for unequal times, are read otherwise on purpose, and so
 * reported.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openVideo, sampleFrames } from "../src/processing/video/index.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    frames: { type: "string", default: "8" },
    json: { type: "boolean", default: false },
  },
});
const [folder] = positionals;
if (folder === undefined || flags.python === "") throw new Error("name a folder, and --python");
const isClip = /\.(?:mp4|m4v|mov|webm|mkv|avi|gif)$/i;
const clips = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => isClip.test(name))
  .sort()
  .map((name) => join(folder, name));

type Read =
  | { readonly total: number; readonly indices: readonly number[]; readonly digests: readonly string[] }
  | { readonly error: string };

async function read(path: string): Promise<Read> {
  try {
    const video = await openVideo({ path });
    const { indices } = sampleFrames({ rule: "uniform", frames: Number(flags.frames) }, video);
    const digests: string[] = [];
    for await (const { data } of video.frames(indices))
      digests.push(createHash("md5").update(data).digest("hex"));
    return { total: video.times.length, indices, digests };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

const script = new URL("check_videos.py", import.meta.url).pathname;
const { stdout, stderr, status } = spawnSync(flags.python, [script, flags.frames], {
  input: clips.map((clip) => `${clip}\n`).join(""),
  encoding: "utf8",
  maxBuffer: 2 ** 26,
});
if (status !== 0) throw new Error(stderr);
const theirs = stdout
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Read);

let different = 0;
for (const [index, clip] of clips.entries()) {
  const [own, other] = [await read(clip), theirs[index]!];
  const isSame = "error" in own || "error" in other ? "error" in own && "error" in other : same(own, other);
  if (!isSame) different++;
  if (flags.json) console.log(JSON.stringify({ clip, isSame, own, other }));
  else
    console.log(
      `${isSame ? "same" : "DIFFERENT"}  ${clip}: ${shown(own)}${isSame ? "" : ` / ${shown(other)}`}`,
    );
}
if (clips.length === 0 || different > 0)
  throw new Error(`${different} of ${clips.length} clips are read otherwise`);

function same(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function shown(found: Read): string {
  return "error" in found ? found.error : `${found.total} frames, ${found.indices.join(" ")}`;
}
