// Checkpoints whose files do not quite agree: npm test -- src/pretrained/pretrained.test.ts
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertClose } from "../../test/support/close.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { openCheckpoint, openSafetensors, writeSafetensors } from "../checkpoint/index.ts";
import type { JsonObject } from "../files/index.ts";
import type { Llava } from "../models/index.ts";
import { fromTyped, Generator, inference, longTensor, randn, type Tensor } from "../torch/index.ts";
import { loadCheckpoint } from "./load-folders.ts";
import { saveModel } from "./save.ts";

const llama = fileURLToPath(new URL("../../test/fixtures/llava/llama", import.meta.url));
const scratch = temporaryFolder("llava-pretrained");

/** A copy of the tiny checkpoint with other tensors and fields. */
function changed(
  name: string,
  tensors: (stored: Map<string, Tensor>) => void,
  config: (json: JsonObject) => void = () => {},
): string {
  const folder = join(scratch, name);
  cpSync(llama, folder, { recursive: true });
  using source = openSafetensors(join(llama, "model.safetensors"));
  const stored = new Map([...source.names()].map((tensor) => [tensor, source.read(tensor).clone()]));
  tensors(stored);
  writeSafetensors(join(folder, "model.safetensors"), stored);
  const json = JSON.parse(readFileSync(join(llama, "config.json"), "utf8")) as JsonObject;
  config(json);
  writeFileSync(join(folder, "config.json"), JSON.stringify(json));
  return folder;
}

const logitsOf = (model: Llava): Tensor =>
  inference(() => model.forward(longTensor([1, 5, 9, 11, 30], [1, 5])));

const tie = (json: JsonObject): void => {
  json["tie_word_embeddings"] = true;
  (json["text_config"] as JsonObject)["tie_word_embeddings"] = true;
};
const prompts = { chatTemplate: "{{ messages }}", stopIds: [2] };
const head = "language_model.lm_head.weight";
const embedding = "language_model.model.embed_tokens.weight";

async function load(folder: string) {
  const reports: string[] = [];
  const pretrained = await loadCheckpoint(folder, { report: (line) => reports.push(line) });
  return { pretrained, reports };
}

describe("tied output weights", () => {
  test("that are stored with other values are used, and it is said", async () => {
    const folder = changed("other-head", () => {}, tie);
    const { pretrained, reports } = await load(folder);
    using _ = pretrained;
    using untied = await loadCheckpoint(llama);
    assertClose(logitsOf(pretrained.model), logitsOf(untied.model), 0, "logits");
    assert.equal(reports.length, 1);
    assert.match(reports[0]!, /tie_word_embeddings is true, but lm_head is stored with other values/);

    const saved = join(scratch, "other-head-saved");
    const origin = pretrained.origin!;
    saveModel(pretrained.model, saved, { origin, dtype: "float32", metadata: {}, prompts });
    const again = await load(saved);
    using second = again.pretrained;
    assert.deepEqual(again.reports, []);
    assertClose(logitsOf(second.model), logitsOf(untied.model), 0, "saved");
  });

  test("that are stored with the embedding's values are tied, and stay so when they are written again", async () => {
    const folder = changed(
      "same-head",
      (stored) => void stored.set(head, stored.get(embedding)!.clone()),
      tie,
    );
    const { pretrained, reports } = await load(folder);
    using _ = pretrained;
    const { languageModel } = pretrained.model;
    const parameters = languageModel.namedParameters();
    assert.equal(parameters.has("lm_head.weight"), false);
    assert.deepEqual(reports, []);
    const { shape } = parameters.get("embed_tokens.weight")!;
    languageModel.setParameter("embed_tokens.weight", randn(shape, new Generator(3)));
    const saved = join(scratch, "same-head-saved");
    const origin = pretrained.origin!;
    saveModel(pretrained.model, saved, { origin, dtype: "float32", metadata: {}, prompts });
    using source = openCheckpoint(saved);
    assert.equal(source.has("lm_head.weight"), false);
    const again = await load(saved);
    using second = again.pretrained;
    assertClose(logitsOf(second.model), logitsOf(pretrained.model), 0, "logits");
  });
});

describe("tensors that the model has no place for", () => {
  test("are told of where they are of none of its parts", async () => {
    const folder = changed("stray", (stored) => void stored.set("stray.weight", longTensor([1], [1])));
    const { pretrained, reports } = await load(folder);
    using _ = pretrained;
    assert.match(reports.join(), /not used, being of no part of the model: stray\.weight$/);
  });

  test("are refused where they are of one, whose form is then another", async () => {
    for (const name of [
      "language_model.model.layers.0.self_attn.q_norm.weight",
      "multi_modal_projector.linear_3.weight",
      "vision_tower.vision_model.embeddings.extra",
    ]) {
      const folder = changed(`form-${name}`, (stored) => void stored.set(name, longTensor([1], [1])));
      await assert.rejects(loadCheckpoint(folder), /1 not expected/);
    }
  });
});

test("fields of config.json that nothing is known of are told", async () => {
  const folder = changed(
    "odd-field",
    () => {},
    (json) => {
      json["swirl"] = 3;
    },
  );
  const { pretrained, reports } = await load(folder);
  using _ = pretrained;
  assert.match(reports.join(), /config\.json: not known, and so without effect here: swirl$/);
});

test("nothing is told of the checkpoints that transformers and the original code wrote", async () => {
  for (const name of ["llama", "llama-gqa-full", "legacy-4x", "multi-layer", "qwen2", "original"]) {
    const { pretrained, reports } = await load(join(llama, "..", name));
    pretrained[Symbol.dispose]();
    assert.deepEqual(reports, [], name);
  }
});

test("weights stored in 8-bit floating point give the logits of their values", async () => {
  let bits = new Uint8Array();
  const wide = changed("wide-head", (stored) => {
    const half = stored.get(head)!.to("float16");
    const bytes = half.toBytes();
    bits = bytes.filter((_, at) => at % 2 === 1);
    // E5M2 is the upper byte of float16.
    const upper = bytes.map((byte, at) => (at % 2 === 1 ? byte : 0));
    stored.set(head, fromTyped(upper, { dtype: "float16", shape: half.shape }).to("float32"));
  });
  const narrow = changed("narrow-head", () => {});
  const path = join(narrow, "model.safetensors");
  const bytes = readFileSync(path);
  const end = 8 + Number(bytes.readBigUInt64LE());
  const json = JSON.parse(bytes.toString("utf8", 8, end)) as Record<
    string,
    { dtype: string; data_offsets: number[] }
  >;
  const entries = Object.entries(json).filter(([name]) => name !== "__metadata__" && name !== head);
  let offset = 0;
  const placed = entries.map(([name, entry]) => {
    const data = bytes.subarray(end + entry.data_offsets[0]!, end + entry.data_offsets[1]!);
    const start = offset;
    offset += data.length;
    return { name, entry: { ...entry, data_offsets: [start, offset] }, data };
  });
  const last = { ...json[head]!, dtype: "F8_E5M2", data_offsets: [offset, offset + bits.length] };
  const header = Buffer.from(
    JSON.stringify({ ...Object.fromEntries(placed.map(({ name, entry }) => [name, entry])), [head]: last }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, Buffer.concat([length, header, ...placed.map(({ data }) => data), bits]));

  using expected = await loadCheckpoint(wide);
  using actual = await loadCheckpoint(narrow);
  assertClose(logitsOf(actual.model), logitsOf(expected.model), 0, "logits");
});
