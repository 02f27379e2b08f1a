import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { type FrameTimes, type SamplingRule, sampleFrames, samplingSchema, withFrames } from "./sampling.ts";

const stored = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/video/sampling.json", import.meta.url), "utf8"),
) as Record<"uniform" | "arange" | "strided", string[]>;

const video = (frames: number, rate = 25): FrameTimes => ({
  rate,
  times: Array.from({ length: frames }, (_, i) => i / rate),
});
const indices = (rule: SamplingRule, frames: number, rate?: number) =>
  sampleFrames(rule, video(frames, rate)).indices.join(" ");

describe("rules take NumPy's frames", () => {
  for (const rule of ["uniform", "arange", "strided"] as const)
    test(`${rule}, of all videos of up to 3,000 frames`, () => {
      const videos = Array.from({ length: 3000 }, (_, i) => video(i + 1));
      // Each number once: the others differ in the step alone.
      for (const frames of [1, 2, 3, 7, 8, 31, 32, 56, 63, 64]) {
        const digest = createHash("md5");
        for (const each of videos)
          digest.update(`${sampleFrames({ rule, frames }, each).indices.join(" ")}\n`);
        assert.equal(digest.digest("hex"), stored[rule][frames - 1], `${frames} frames`);
      }
    });

  test("uniform cuts a step that is a double: 56 of 76 frames", () => {
    assert.equal(sampleFrames({ rule: "uniform", frames: 56 }, video(76)).indices[11], 14);
  });
});

test("one frame a second or evenly spread: the step is rounded half to even, as Python has it", () => {
  const rule = { rule: "fps-or-uniform", fps: 1, most: 0 } as const;
  assert.equal(indices(rule, 60, 14.5), "0 14 28 42 56");
  assert.equal(indices(rule, 8, 2.5), "0 2 4 6");
  assert.equal(indices(rule, 4, 0.4), "0 1 2 3", "never a step of 0");
  assert.equal(indices({ ...rule, most: 3 }, 100, 25), "0 49 99", "too many: evenly spread");
  assert.equal(indices({ ...rule, most: 8, force: true }, 80, 25), "0 11 22 33 45 56 67 79");
  // A clip of 3.2 s that is asked for 32 frames.
  assert.equal(sampleFrames({ rule: "uniform", frames: 32 }, video(80)).indices.length, 32);
  assert.equal(sampleFrames({ ...rule, most: 32 }, video(80)).indices.length, 4);
});

test("times are told as each rule's own code tells them", () => {
  const each = sampleFrames({ rule: "fps-or-uniform", fps: 1, most: 0 }, video(90, 29.97));
  assert.deepEqual(each.times, [0, 1, 2], "by the rounded step");
  const even = sampleFrames({ rule: "uniform", frames: 3 }, video(90, 30));
  assert.deepEqual(even.times, [0, 44 / 30, 89 / 30]);
  assert.equal(even.duration, 3);
});

test("the other rules", () => {
  assert.equal(indices({ rule: "arange", fps: 2 }, 100, 25), "0 12 25 37 50 62 75 87");
  assert.equal(indices({ rule: "arange", frames: 16 }, 9), "0 1 2 3 4 5 6 7 8", "no more than there are");
  assert.equal(indices({ rule: "capped", fps: 2, most: 128 }, 100, 25), "0 14 28 42 56 70 84 99");
  assert.equal(indices({ rule: "capped", fps: 2, most: 3 }, 100, 25), "0 49 99");
  assert.equal(indices({ rule: "extracted", fps: 2, frames: 4 }, 100, 25), "0 25 50 87");
  assert.equal(indices({ rule: "all" }, 3), "0 1 2");
});

test("where frames show for unequal times, what spreads over time goes by the clock", () => {
  // The last of ten frames stays for eleven seconds.
  const times = [0, 1, 2, 3, 4, 5, 6, 7, 8, 19];
  const { indices, duration } = sampleFrames({ rule: "uniform", frames: 3 }, { rate: 1, times });
  assert.deepEqual(indices, [0, 8, 9]);
  assert.ok(duration > 19);
  assert.deepEqual(sampleFrames({ rule: "arange", frames: 2 }, { rate: 1, times }).indices, [0, 5]);
});

test("what a caller asks for counts before the rule", () => {
  const uniform = { rule: "uniform", frames: 32 } as const;
  assert.deepEqual(withFrames(uniform, { frames: 8 }), { rule: "uniform", frames: 8 });
  assert.deepEqual(withFrames(uniform, { fps: 2 }), { rule: "fps-or-uniform", fps: 2, most: 0 });
  assert.deepEqual(withFrames({ rule: "all" }, { frames: 4 }), { rule: "uniform", frames: 4 });
  assert.deepEqual(withFrames({ rule: "arange", frames: 4 }, { fps: 2 }), { rule: "arange", fps: 2 });
  assert.deepEqual(withFrames({ rule: "fps-or-uniform", fps: 1, most: 64 }, { frames: 4 }), {
    ...{ rule: "fps-or-uniform", fps: 1, most: 4, force: true },
  });
  assert.deepEqual(withFrames(uniform, {}), uniform);
});

test("a rule is written in a model's configuration, and a wrong one refused", () => {
  assert.deepEqual(samplingSchema.parse({ rule: "uniform", frames: 8 }), { rule: "uniform", frames: 8 });
  for (const wrong of [
    { rule: "evenly" },
    { rule: "uniform" },
    { rule: "uniform", frames: 0 },
    { rule: "all", frames: 1 },
  ])
    assert.equal(samplingSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
});
