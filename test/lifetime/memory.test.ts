import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("memory stays flat over decoding and training steps of a small model, and no tensor is left", () => {
  const bench = fileURLToPath(new URL("../../bench/memory.ts", import.meta.url));
  const args = ["--model", "tiny", "--decode-steps", "320", "--train-steps", "48", "--json"];
  const { stdout, stderr } = spawnSync(process.execPath, [bench, ...args], { encoding: "utf8" });
  assert.ok(stdout.startsWith("{"), stderr);
  const { decoding, training, peakMiB } = JSON.parse(stdout);
  for (const [work, { leakedTensors, secondQuarter, lastQuarter }] of Object.entries({
    decoding,
    training,
  })) {
    assert.equal(leakedTensors, 0, work);
    // Of a process this small, JavaScript's own heap is a large part, and it breathes.
    assert.ok(lastQuarter < 1.05 * secondQuarter, `${work}: ${secondQuarter} → ${lastQuarter} MiB`);
  }
  assert.ok(peakMiB < 500, `peak ${peakMiB} MiB`);
});
