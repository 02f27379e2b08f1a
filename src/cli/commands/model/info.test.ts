import assert from "node:assert/strict";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { writeSafetensors } from "../../../checkpoint/index.ts";
import { scope, zeros } from "../../../torch/index.ts";
import { inspectModel } from "./info.ts";

const path = temporaryFolder("llava-info");
const fixtures = fileURLToPath(new URL("../../../../test/fixtures/", import.meta.url));

/** A folder of some of a fixture's files. */
function someOf(fixture: string, name: string, files: readonly string[]): string {
  const folder = join(path, name);
  mkdirSync(folder);
  for (const file of files) cpSync(join(fixtures, fixture, file), join(folder, file));
  return folder;
}

describe("what a model is, is told without its weights:", () => {
  const clip = { family: "clip", imageSize: 28, grid: "2×2", featureLayers: [-2] };
  const told: Readonly<Record<string, [folder: string, facts: object]>> = {
    "a whole model of transformers": [
      "families/onevision",
      {
        ...{ kind: "whole model", layout: "hf", unknown: [], projector: { type: "mlp", layers: 2 } },
        language: { tied: true, contextLength: 256, numKeyValueHeads: 1, rope: "default" },
        vision: { family: "siglip", imageSize: 30, patchSize: 14, numLayers: 2, featureLayers: [-1] },
        images: { aspect: "anyres", merge: "unpad", mostTiles: 9 },
      },
    ],
    "its scaling and its tokens": [
      "llava-next/llama3",
      {
        language: { rope: "llama3 8" },
        images: {
          pinpoints: [
            [56, 28],
            [28, 56],
            [56, 56],
            [28, 84],
            [84, 28],
          ],
          tokens: { "640×480": 24 },
        },
      },
    ],
    "one of the original code, its tower apart": [
      "llava/original",
      {
        ...{ kind: "whole model", layout: "original", template: "vicuna_v1", images: { aspect: "pad" } },
        vision: { ...clip, from: join(fixtures, "llava/original/clip-vit-tiny-patch14-28") },
      },
    ],
    "a tower": [
      "llava/original/clip-vit-tiny-patch14-28",
      { kind: "vision tower", vision: { numLayers: 3 } },
    ],
    "an adapter": [
      "lora/llava",
      { kind: "adapter", base: "../../llava/llama", adapter: { rank: 4, alpha: 6 } },
    ],
    "an adapter of the original code": ["lora/original", { kind: "adapter", adapter: { rank: 4, alpha: 8 } }],
  };
  for (const [what, [folder, facts]] of Object.entries(told))
    test(what, async () => {
      const { files, parameters, ...info } = await inspectModel({
        kind: "folder",
        path: join(fixtures, folder),
      });
      assert.partialDeepStrictEqual(info.facts, facts);
      assert.ok(parameters > 1000 && info.weightBytes > parameters && files.length > 1);
    });

  test("a GGUF file among others", async () => {
    const { facts, files } = await inspectModel({
      ...{ kind: "folder", path: join(fixtures, "checkpoint"), gguf: "quantised.gguf" },
    });
    assert.partialDeepStrictEqual(facts, {
      kind: "language model",
      layout: "gguf",
      language: { headDim: 8 },
    });
    assert.deepEqual(
      files.map(({ name }) => name),
      ["quantised.gguf"],
    );
  });

  test("a projector, whose base is named", async () => {
    const folder = someOf("lora/original", "stage-1", ["config.json", "non_lora_trainables.bin"]);
    assert.partialDeepStrictEqual((await inspectModel({ kind: "folder", path: folder })).facts, {
      kind: "projector",
    });
  });

  test("a delta, by the name that it was published under", async () => {
    const folder = someOf("llava-next/llama", "llava-delta-v1", ["config.json", "model.safetensors"]);
    const { facts } = await inspectModel({ kind: "folder", path: folder });
    assert.equal(facts.kind, "delta of a model");
    assert.match(facts.unknown.join(), /tokenizer/);
  });
});

test("parameters are those of the file that is loaded, not of a copy or of other tensors beside it", async () => {
  scope(() =>
    writeSafetensors(
      join(path, "model.safetensors"),
      new Map([
        ["a", zeros([3, 5])],
        ["b", zeros([2])],
      ]),
    ),
  );
  assert.equal((await inspectModel({ kind: "folder", path })).parameters, 17);
  cpSync(join(path, "model.safetensors"), join(path, "copy.safetensors"));
  const { parameters, files } = await inspectModel({ kind: "folder", path });
  assert.deepEqual([parameters, files.map(({ tensors }) => tensors?.length)], [17, [2, 2]]);
});

test("a folder of parts of a model counts them", async () => {
  rmSync(join(path, "model.safetensors"), { force: true });
  scope(() => writeSafetensors(join(path, "copy.safetensors"), new Map([["part", zeros([4])]])));
  assert.equal((await inspectModel({ kind: "folder", path })).parameters, 4);
});
