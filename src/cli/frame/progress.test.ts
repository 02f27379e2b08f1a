import assert from "node:assert/strict";
import { test } from "node:test";
import { describe as describeProgress, duration } from "./progress.ts";
import { fileSize } from "./sizes.ts";

test("progress shows amount, rate and remaining time", () => {
  assert.equal(
    describeProgress({ value: 10, total: 40, unit: "steps" }, 4000),
    "10/40 steps, 2.5/s, 12 s left",
  );
  const bytes = { value: 100 * 2 ** 20, total: 500 * 2 ** 20, unit: "bytes" };
  assert.equal(describeProgress(bytes, 2000), "100/500 MiB, 50/s, 8 s left");
});

test("what was done earlier counts as done, not towards the rate", () => {
  const resumed = { value: 30, total: 40, unit: "questions", before: 20 };
  assert.equal(describeProgress(resumed, 4000), "30/40 questions, 2.5/s, 4 s left");
  assert.equal(describeProgress({ ...resumed, value: 20 }, 4000), "20/40 questions, 4 s");
});

test("progress that is complete or has no total shows the time it took", () => {
  assert.equal(describeProgress({ value: 40, total: 40, unit: "steps" }, 8000), "40/40 steps, 5/s, 8 s");
  assert.equal(
    describeProgress({ value: 30, total: undefined, unit: "files" }, 10_000),
    "30 files, 3/s, 10 s",
  );
  assert.equal(describeProgress({ value: 0, total: undefined, unit: "" }, 3000), "3 s");
  assert.equal(describeProgress({ value: 0, total: 40, unit: "steps" }, 0), "0/40 steps, 0 s");
});

test("durations and sizes", () => {
  assert.deepEqual([0.4, 59.6, 185, 7800].map(duration), ["0 s", "1 min 00 s", "3 min 05 s", "2 h 10 min"]);
  assert.deepEqual([0, 999, 1000, 9_950_000, 98_362_432, 999_600_000].map(fileSize), [
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "10 MB",
    "98 MB",
    "1.0 GB",
  ]);
});
