// Videos on the command line: npm test -- test/cli/video.test.ts
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { llava } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { withoutDecoder } from "../support/video-decoder.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const model = `${fixtures}llava-next-video/max`;
const clip = `${fixtures}video/moving.gif`;
const photo = `${fixtures}llava-next/images/wide.png`;
const folder = temporaryFolder("llava-video");

const generate = async (...args: string[]) => generateBy(model, ...args);
const generateBy = async (path: string, ...args: string[]) => {
  const { status, stdout, stderr } = await llava([
    "-q",
    "generate",
    path,
    "--max-tokens",
    "4",
    "--json",
    ...args,
  ]);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as { promptTokens: number; imageTokens: number; text: string };
};

describe("llava generate", () => {
  test("answers about a video, and about its frames, which take as many tokens", async () => {
    const whole = await generate("--video", clip, "--frames", "3", "-p", "Was?");
    // Two by two features of a frame.
    assert.equal(whole.imageTokens, 3 * 4);
    const frames = [1, 2, 10].flatMap((index) => [
      "--video-frame",
      `${fixtures}video/frames/frame_${index}.png`,
    ]);
    const given = await generate(...frames, "--frames", "3", "-p", "Was?");
    assert.equal(given.promptTokens, whole.promptTokens);
  });

  test("takes images and videos in the order in which they are given", async () => {
    const media = (first: string[], second: string[]) =>
      generateBy(
        `${fixtures}llava-next-video/average`,
        ...first,
        ...second,
        "--frames",
        "2",
        "-p",
        "<image> <image>",
        "--rope-factor",
        "2",
        "--max-tokens",
        "24",
      );
    const [video, image] = [
      ["--video", clip],
      ["--image", photo],
    ];
    const one = await media(video, image);
    const other = await media(image, video);
    assert.equal(one.promptTokens, other.promptTokens);
    assert.notEqual(one.text, other.text);
  });

  test("reads rows about videos", async () => {
    const path = join(folder, "rows.jsonl");
    writeFileSync(path, `${JSON.stringify({ prompt: "Was?", video: clip })}\n`);
    assert.equal((await generate("--input", path, "--frames", "2")).imageTokens, 2 * 4);
  });
});

describe("llava video ablate", () => {
  const questions = join(folder, "questions.jsonl");
  const asked = (id: string, video: string, answer: string | string[]) => ({
    ...{ id, video, text: "Was?", answer },
  });
  const frames = `${fixtures}video/frames`;
  writeFileSync(
    questions,
    [asked("gif", clip, "never"), asked("frames", frames, ["never", "nor this"])]
      .map((row) => `${JSON.stringify(row)}\n`)
      .join(""),
  );
  const ablate = async (...args: string[]) =>
    await llava(["-q", "video", "ablate", questions, "--model", model, ...args]);

  test("answers all questions in every setting, and tells what did not fit", async () => {
    const plot = join(folder, "frames.svg");
    const sweep = ["--frames", "2,100", "--strides", "1,2", "--factors", "auto,2", "--plot", plot];
    const { status, stdout, stderr } = await ablate(...sweep, "--json");
    assert.equal(status, 0, stderr);
    interface Cell extends Record<"tokensPerFrame" | "frames" | "asked" | "unfit" | "promptTokens", number> {
      readonly factor: number | "auto";
      readonly answers: readonly unknown[];
    }
    const { outcomes } = JSON.parse(stdout) as { outcomes: Cell[] };
    assert.deepEqual(
      outcomes.map(({ tokensPerFrame, frames, factor }) => [tokensPerFrame, frames, factor]),
      [16, 4].flatMap((tokens) =>
        ["auto", 2].flatMap((factor) => [2, 100].map((count) => [tokens, count, factor])),
      ),
    );
    for (const { frames, factor, unfit, asked, promptTokens, tokensPerFrame, answers } of outcomes) {
      // A factor that is given stays; by itself it becomes what the prompt needs.
      assert.deepEqual([asked, unfit], [2, frames === 100 && factor === 2 ? 2 : 0]);
      assert.equal(answers.length, asked - unfit);
      if (unfit === 0) assert.ok(promptTokens > frames * tokensPerFrame);
    }
    assert.match(readFileSync(plot, "utf8"), /16 tokens a frame, factor auto/);
    const table = await ablate("--frames", "2");
    assert.match(table.stdout, /^tokens a frame +frames +factor/);
  });

  test("refuses in one line what it cannot do", async () => {
    const wide = await ablate("--strides", "9");
    assert.equal(wide.status, 2);
    assert.match(wide.stderr, /a stride of 9 leaves no token of a frame/);
    const list = await ablate("--frames", "4,x");
    assert.match(list.stderr, /Expected whole numbers above 0/);
    writeFileSync(join(folder, "bad.jsonl"), `${JSON.stringify({ video: clip, text: "Was?" })}\n`);
    const bad = await llava(["-q", "video", "ablate", join(folder, "bad.jsonl"), "--model", model]);
    assert.match(bad.stderr, /bad.jsonl: line 1: answer/);
  });
});

describe("llava tokens", () => {
  const tokens = async (...args: string[]) => {
    const { status, stdout, stderr } = await llava(["-q", "tokens", "--model", model, ...args]);
    assert.equal(status, 0, stderr);
    return stdout;
  };

  test("tells which frames are seen, when they show, and what they take", async () => {
    const sheet = join(folder, "frames.png");
    const { videos, left, contextLength } = JSON.parse(
      await tokens("--video", clip, "--frames", "4", "--draw", sheet, "--json"),
    );
    assert.equal(videos.length, 1);
    const [video] = videos;
    assert.deepEqual(video.indices, [0, 3, 7, 11]);
    assert.deepEqual(
      video.times.map((time: number) => time.toFixed(2)),
      ["0.00", "0.42", "0.98", "1.54"],
    );
    assert.deepEqual(
      [video.frames, video.tokensPerFrame, video.tokens, video.counts.newlines],
      [12, 4, 16, 0],
    );
    assert.equal(left, contextLength - 16);
    assert.deepEqual(readFileSync(sheet).subarray(1, 4).toString(), "PNG");
    assert.match(
      await tokens("--video", clip, "--frames", "auto"),
      /12 frames of 4 tokens\n {2}frames 0 1 2/,
    );
  });

  test("reads a video file by its suffix", { skip: withoutDecoder }, async () => {
    const out = await tokens(`${fixtures}video/plain.mp4`, "--fps", "5");
    assert.match(out, /40 frames, 1\.60 s at 25\.00 a second: 32 tokens/);
    assert.match(out, /frames 0 5 10 15 20 25 30 35\n/);
  });
});

describe("what is no video ends in a line, and no program hangs", () => {
  const fails = async (args: string[], message: RegExp) => {
    const { status, stderr } = await llava(["-q", "tokens", "--model", model, ...args]);
    assert.equal(status, 1);
    assert.match(stderr, message);
    assert.ok(stderr.trim().split("\n").length <= 2, stderr);
  };
  test("text, and a video that is not there", async () => {
    const note = join(folder, "note.mp4");
    writeFileSync(note, "A note.\n");
    await fails([note], /note\.mp4: looks like text/);
    await fails(["--video", join(folder, "none.mp4")], /no such file/);
  });
  test("sound, no frames, a file cut short", { skip: withoutDecoder }, async () => {
    await fails([`${fixtures}video/sound.mp4`], /has no video, only sound/);
    await fails([`${fixtures}video/none.mkv`], /it has no frames|cut short/);
    await fails([`${fixtures}video/begun.mp4`], /cut short: /);
  });
});

test("more frames than fit are refused with the number that does", async () => {
  const { status, stderr } = await llava([
    ...["-q", "generate", model, "-p", "Was?", "--rope-factor", "1", "--frames", "12"],
    ...Array.from({ length: 8 }, () => ["--video", clip]).flat(),
  ]);
  assert.equal(status, 1);
  assert.match(stderr, /context holds 128/);
  assert.match(stderr, /--frames \d+ fits/);
});
