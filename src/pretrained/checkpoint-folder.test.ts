// Folders of which some files are missing or are something else: npm test -- src/pretrained/checkpoint-folder.test.ts

import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { largestDifference } from "../../test/support/close.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { openSafetensors } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import type { Llava } from "../models/index.ts";
import { inference, type Tensor } from "../torch/index.ts";
import { loadPretrained } from "./load.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/", import.meta.url));
const scratch = temporaryFolder("llava-folders");

/** What becomes of a file. */
const fates: Record<string, (content: Buffer) => string | Uint8Array | undefined> = {
  kept: (content) => content,
  missing: () => undefined,
  pointer: ({ length }) =>
    `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize ${length}\n`,
  page: () => "<!DOCTYPE html><html><head><title>Sign in</title></head></html>",
  empty: () => "",
  zeros: ({ length }) => new Uint8Array(length),
  error: () => '{"error": "Repository not found"}',
  cut: (content) => content.subarray(0, Math.floor(content.length / 2)),
};

/** For the inputs of one of the checkpoints that transformers wrote. */
function logitsOf(model: Llava, checkpoint: string): Tensor {
  using inputs = openSafetensors(join(fixtures, checkpoint, "reference.safetensors"));
  const ids = inputs.read("input_ids").to("int64");
  const known = ids.eq(276); // their image token
  return inference(() =>
    model.forward(ids.maskedFill(known, model.imageTokenId), inputs.read("pixel_values")),
  );
}

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true })
    .map(String)
    .filter(
      (name) => statSync(join(folder, name)).isFile() && !/reference|training\.safetensors|beams/.test(name),
    )
    .sort();

/** Everything is kept but one file. */
const alone = (names: readonly string[], odd: string, fate: string): string[] =>
  names.map((name) => (name === odd ? fate : "kept"));

describe("a folder some of whose files are missing or something else", () => {
  const resolve = (name: string) =>
    Promise.reject(
      new LlavaError("network", `${name} cannot be fetched`, { hint: "Give it as a folder that is here." }),
    );
  for (const layout of [
    "llava/llama",
    "llava/llama-gqa-full",
    "llava/original",
    "lora/original",
    "lora/llava",
  ])
    test(`${layout} loads as it should or ends in one error that names a file and a way out`, async () => {
      const good = join(fixtures, layout);
      const names = filesOf(good);
      using expected = await loadPretrained({ kind: "folder", path: good });
      const inputs = layout === "llava/llama-gqa-full" ? layout : "llava/llama";
      const logits = logitsOf(expected.model, inputs);
      let count = 0;
      const fate = fc.oneof(
        { weight: 6, arbitrary: fc.constant("kept") },
        { weight: 1, arbitrary: fc.constantFrom(...Object.keys(fates)) },
      );
      await fc.assert(
        fc.asyncProperty(fc.tuple(...names.map(() => fate)), async (chosen) => {
          const folder = join(scratch, `${layout.replace("/", "-")}-${count++}`);
          cpSync(good, folder, { recursive: true });
          for (const [i, name] of names.entries()) {
            const content = fates[chosen[i]!]!(readFileSync(join(good, name)));
            if (content === undefined) rmSync(join(folder, name));
            else writeFileSync(join(folder, name), content);
          }
          // The base of an adapter is named from the fixture's own place.
          const base = layout.startsWith("lora/")
            ? join(fixtures, "llava", layout === "lora/llava" ? "llama" : "original")
            : undefined;
          const isAdapter = chosen[names.indexOf("adapter_config.json")] !== "missing";
          try {
            using loaded = await loadPretrained(
              { kind: "folder", path: folder },
              {
                resolve: base === undefined ? resolve : () => Promise.resolve({ kind: "folder", path: base }),
                ...(base && isAdapter && { base }),
              },
            );
            const difference = largestDifference(logitsOf(loaded.model, inputs), logits);
            assert.ok(difference === 0, `loads with logits ${difference} off`);
          } catch (error) {
            assert.ok(error instanceof LlavaError, (error as Error).stack);
            const { message, hint = "" } = error;
            assert.ok(hint.length > 10, `no way out: ${message}`);
            const named = [...names.map((name) => basename(name)), basename(folder)];
            assert.ok(
              named.some((name) => message.includes(name)),
              `names no file: ${message}`,
            );
          } finally {
            rmSync(folder, { recursive: true });
          }
        }),
        { numRuns: 60, seed: 5, examples: names.map((name) => [alone(names, name, "missing")]) },
      );
    });
});
