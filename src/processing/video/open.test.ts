import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { decoders, withoutDecoder } from "../../../test/support/video-decoder.ts";
import { LlavaError } from "../../errors.ts";
import type { VideoSource } from "../../protocol/index.ts";
import type { RgbImage } from "../image/index.ts";
import { openVideo } from "./open.ts";
import type { VideoOptions } from "./opened-video.ts";
import { sampleFrames } from "./sampling.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/video/", import.meta.url));
const stored = JSON.parse(readFileSync(`${fixtures}reference.json`, "utf8")) as Record<
  string,
  { size: [number, number]; times: number[]; md5: string[] }
>;
const sum = ({ data }: RgbImage) => createHash("md5").update(data).digest("hex");

async function sums(path: string, indices: readonly number[], options?: VideoOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const frame of (await openVideo({ path }, options)).frames(indices)) found.push(sum(frame));
  return found;
}

const names = Object.keys(stored);
const isAnimation = (name: string) => /\.(?:gif|webp)$/.test(name);
const cases = [
  ...names.filter(isAnimation).map((name) => ({ name, way: "sharp", isApart: false, skip: false as const })),
  ...decoders.flatMap((decoder) =>
    names.filter((name) => !isAnimation(name)).map((name) => ({ name, ...decoder })),
  ),
];

describe("frames, their times and their number are PyAV's", () => {
  for (const { name, way, isApart, skip } of cases)
    test(`${name} by ${way}`, { skip }, async () => {
      const { size, times, md5 } = stored[name]!;
      const video = await openVideo({ path: fixtures + name }, { isApart });
      assert.deepEqual([video.size.width, video.size.height], size);
      assert.deepEqual(
        video.times.map((time) => time.toFixed(6)),
        times.map((time) => time.toFixed(6)),
      );
      const all = times.map((_, index) => index);
      assert.deepEqual(await sums(fixtures + name, all, { isApart }), md5);
      const { indices } = sampleFrames({ rule: "uniform", frames: 8 }, video);
      assert.deepEqual(
        await sums(fixtures + name, indices, { isApart }),
        indices.map((index) => md5[index]),
      );
      assert.deepEqual(
        await sums(fixtures + name, [3, 3, 5], { isApart }),
        [md5[3], md5[3], md5[5]],
        "a frame that is asked for again",
      );
    });
});

test("an edit list's first frames are not counted, and the last frame is the last", {
  skip: withoutDecoder,
}, async () => {
  const { times } = await openVideo({ path: `${fixtures}edited.mp4` });
  assert.ok(times.length < 40, "some are cut off");
  const whole = stored["plain.mp4"]!.md5;
  assert.deepEqual(await sums(`${fixtures}edited.mp4`, [times.length - 1]), [whole.at(-1)]);
});

describe("a rate that is told with two places is known exactly where packets say it", () => {
  for (const { way, isApart, skip } of decoders)
    test(`by ${way}`, { skip }, async () => {
      const rate = async (name: string) => (await openVideo({ path: fixtures + name }, { isApart })).rate;
      assert.equal(await rate("plain.mp4"), 25);
      assert.equal(await rate("slow.mp4"), 0.4);
      assert.equal(await rate("clip.mkv"), 29.97);
    });
});

test("a folder of frames is in the order of its numbers, and images may be given one by one", async () => {
  const folder = await openVideo({ path: `${fixtures}frames` });
  const paths = [1, 2, 10].map((index) => `${fixtures}frames/frame_${index}.png`);
  const images = await openVideo({ frames: paths, framesPerSecond: 4 });
  assert.deepEqual(folder.times, [0, 0.5, 1], "two a second, as ShareGPTVideo's folders hold");
  assert.deepEqual(images.times, [0, 0.25, 0.5]);
  const found = await sums(`${fixtures}frames`, [0, 1, 2]);
  const alone: string[] = [];
  for await (const frame of images.frames([0, 1, 2])) alone.push(sum(frame));
  assert.deepEqual(alone, found);
  assert.equal(new Set(found).size, 3);
});

const refused = (source: VideoSource, message: RegExp, hint = /./, options: VideoOptions = {}) =>
  assert.rejects(openVideo(source, options), (error: unknown) => {
    assert.ok(error instanceof LlavaError, String(error));
    assert.equal(error.code, "video");
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/, "one line");
    assert.match(error.hint!, hint);
    return true;
  });

describe("what is no video is refused in a line", () => {
  test("by its first bytes", async () => {
    const folder = temporaryFolder("llava-video");
    const path = join(folder, "note.mp4");
    writeFileSync(path, "A note.\n");
    await refused({ path }, /note\.mp4: looks like text that starts "A note\.", expected a video/);
    writeFileSync(path, "");
    await refused({ path }, /the file is empty/);
    copyFileSync(`${fixtures}frames/frame_1.png`, path);
    await refused({ path }, /is a PNG image, expected a video/, /--image/);
    await refused({ path: join(folder, "none.mp4") }, /no such file/);
    await refused({ path: folder }, /the folder holds no frames/);
    await refused({ path: "https://example.com/clip.mp4" }, /not fetched/, /Download/);
    await refused({ frames: [] }, /it has no frames/);
  });

  test("a damaged animation", async () => {
    const folder = temporaryFolder("llava-video");
    const path = join(folder, "cut.gif");
    writeFileSync(path, readFileSync(`${fixtures}moving.gif`).subarray(0, 9000));
    await assert.rejects(async () => sums(path, [11]), { code: "video" });
  });

  for (const { way, isApart, skip } of decoders)
    test(`sound alone, no frames, nothing but a head, by ${way}`, { skip }, async () => {
      const options = { isApart };
      await refused({ path: `${fixtures}sound.mp4` }, /has no video, only sound/, /./, options);
      await refused({ path: `${fixtures}none.mkv` }, /it has no frames|cut short/, /./, options);
      const path = join(temporaryFolder("llava-video"), "head.mkv");
      writeFileSync(path, readFileSync(`${fixtures}unequal.webm`).subarray(0, 40));
      await refused({ path }, /cut short/, /./, options);
    });

  test("a file that ends before it says that it does, in every container", async () => {
    for (const name of names.filter((name) => !isAnimation(name))) {
      const whole = readFileSync(fixtures + name);
      for (const share of [0.3, 0.7, 0.99]) {
        const path = join(temporaryFolder("llava-video"), name);
        writeFileSync(path, whole.subarray(0, Math.floor(share * whole.length)));
        await refused({ path }, /cut short: \d+ of \d+ bytes are there/);
      }
    }
    await refused({ path: `${fixtures}begun.mp4` }, /cut short: \d+ of \d+ bytes are there/);
  });

  for (const { way, isApart, skip } of decoders)
    test(`frames that are damaged inside, by ${way}`, { skip }, async () => {
      const path = join(temporaryFolder("llava-video"), "damaged.mkv");
      const bytes = readFileSync(`${fixtures}clip.mkv`);
      // Behind the first frame all is noise.
      writeFileSync(
        path,
        bytes.map((byte, at) => (at < 1700 ? byte : (at * 2654435761) & 255)),
      );
      await assert.rejects(
        async () => {
          const video = await openVideo({ path }, { isApart });
          await sums(path, video.times.length < 40 ? [39] : video.times.map((_, at) => at), { isApart });
        },
        (error: unknown) => error instanceof LlavaError && error.code === "video",
      );
    });

  test("without a decoder: both ways and what needs none are named", async () => {
    const before = process.env["LLAVA_FFMPEG"];
    process.env["LLAVA_FFMPEG"] = join(fixtures, "no-such-program");
    try {
      await refused({ path: `${fixtures}plain.mp4` }, /no decoder for video files/, /ffmpeg.*GIF/);
      assert.equal((await openVideo({ path: `${fixtures}moving.gif` })).times.length, 12);
    } finally {
      if (before === undefined) delete process.env["LLAVA_FFMPEG"];
      else process.env["LLAVA_FFMPEG"] = before;
    }
  });
});

describe("a reader that stops early leaves nothing running", () => {
  for (const { way, isApart, skip } of decoders)
    test(`by ${way}`, { skip }, async () => {
      const video = await openVideo({ path: `${fixtures}plain.mp4` }, { isApart });
      for await (const frame of video.frames(video.times.map((_, index) => index))) {
        assert.equal(frame.width, 48);
        break;
      }
      const stop = new AbortController();
      stop.abort(new LlavaError("aborted", "stopped"));
      await assert.rejects(openVideo({ path: `${fixtures}plain.mp4` }, { signal: stop.signal, isApart }), {
        code: "aborted",
      });
    });
});
