// Models from parts that lie apart: npm test -- src/pretrained/assemble.test.ts
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { rowsOf } from "../processing/image/index.ts";
import { assembledJson, type Eyes, loadPretrained } from "./index.ts";

const scratch = temporaryFolder("llava-assemble");
const original = fileURLToPath(new URL("../../test/fixtures/llava/original", import.meta.url));
const tower = join(original, "clip-vit-tiny-patch14-28");

describe("a vision tower that a checkpoint names", () => {
  const name = "openai/clip-vit-base-patch32";
  const apart = join(scratch, "apart");
  cpSync(original, apart, { recursive: true, filter: (path) => !path.includes("clip-vit") });
  const config = JSON.parse(readFileSync(join(apart, "config.json"), "utf8")) as object;
  const named = { ...config, mm_vision_tower: name, mm_hidden_size: null };
  writeFileSync(join(apart, "config.json"), JSON.stringify(named));

  test("is looked for by that name where it is not beside its files", async () => {
    const asked: string[] = [];
    const resolve = (wanted: string) => {
      asked.push(wanted);
      return Promise.resolve({ kind: "folder" as const, path: tower });
    };
    using loaded = await loadPretrained({ kind: "folder", path: apart }, { resolve });
    // What is found describes itself: the tiny tower has not the published one's shape.
    assert.equal(rowsOf(loaded.model.visionTower.grid), 4);
    assert.deepEqual(asked, [name]);
  });
});

describe("a language model that is to see", () => {
  const eyes: Eyes = {
    visionTower: tower,
    projectorType: "linear",
    featureLayer: -2,
    imageAspectRatio: "pad",
  };

  test("gets a configuration of the original code's type for its own", () => {
    for (const [type, expected] of [
      ["llama", "llava_llama LlavaLlamaForCausalLM"],
      ["mistral", "llava_mistral LlavaMistralForCausalLM"],
      ["qwen2", "llava_qwen LlavaQwenForCausalLM"],
    ]) {
      const json = assembledJson({ model_type: type, hidden_size: 8 }, eyes, "here");
      assert.equal(`${json["model_type"]} ${json["architectures"]}`, expected);
      assert.deepEqual(
        [json["hidden_size"], json["mm_projector_type"], json["image_aspect_ratio"]],
        [8, "linear", "pad"],
      );
    }
  });

  test("is a Llama, a Mistral or a Qwen2", () => {
    assert.throws(() => assembledJson({ model_type: "gpt2" }, eyes, "here"), {
      code: "config",
      message: /here: model_type "gpt2"; known are llama, mistral, qwen2/,
    });
  });
});
