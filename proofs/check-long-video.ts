/**
 * 56 frames of 144 tokens by a model that was trained with 4,096 positions (LLaVA-NeXT-Video's longest video): a small random
 * LLaVA answers `llava chat` under a factor of 2, which is chosen by itself or given, and refuses more frames with the number that
 * fits.
 *
 *   node proofs/check-long-video.ts --tokenizer FOLDER
 *
 * FOLDER holds the tokenizer of a Llama 2 or Vicuna.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { writeRandomCheckpoint } from "../bench/random-checkpoint.ts";

const { values: flags } = parseArgs({ options: { tokenizer: { type: "string", default: "" } } });
const FRAMES = 60;
const folder = mkdtempSync(join(tmpdir(), "llava-long-video-"));
const [model, clip] = ["model", "clip"].map((name) => join(folder, name)) as [string, string];

function chat(...options: string[]): { readonly status: number | null; readonly said: string } {
  const bin = new URL("../bin/llava.js", import.meta.url).pathname;
  const question = ["--model", model, "--template", "vicuna_v1", "--video", clip, "-p", "What happens?"];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [bin, "chat", ...question, "--max-tokens", "8", ...options],
    { encoding: "utf8" },
  );
  return { status, said: stdout + stderr };
}

try {
  const small = { hidden: 32, intermediate: 64, layers: 2, heads: 2 };
  writeRandomCheckpoint(model, { text: small, vision: { ...small, imageSize: 336 } }, flags.tokenizer);
  mkdirSync(clip);
  for (let frame = 0; frame < FRAMES; frame++)
    await sharp({
      create: { width: 40, height: 30, channels: 3, background: { r: 4 * frame, g: 90, b: 60 } },
    })
      .png()
      .toFile(join(clip, `${frame}.png`));
  for (const given of [[], ["--rope-factor", "2"]]) {
    const { status, said } = chat("--frames", "56", ...given);
    assert.equal(status, 0, said);
    const [, tokens, left] = /\((\d+) tokens, (\d+) of 8192 left, positions divided by 2 /.exec(said) ?? [];
    assert.ok(Number(tokens) > 56 * 144 && Number(tokens) + Number(left) === 8192, said);
    console.log(`56 frames${given.length > 0 ? `, ${given.join(" ")}` : ""}: ${tokens} tokens, ${left} left`);
  }
  const { status, said } = chat("--frames", String(FRAMES), "--rope-factor", "2");
  assert.equal(status, 1, said);
  assert.match(said, /--frames 56 fits/);
  console.log(`${FRAMES} frames, --rope-factor 2: refused, 56 fit`);
} finally {
  rmSync(folder, { recursive: true });
}
