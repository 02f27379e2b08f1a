// llava convert of adapters and projectors, there and back: npm test -- test/cli/convert-parts.test.ts
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSafetensors, openTorchFile, openWeights } from "../../src/checkpoint/index.ts";
import { loadPretrained, openProjector } from "../../src/pretrained/index.ts";
import { inference, longTensor } from "../../src/torch/index.ts";
import { llavaHere } from "../support/cli.ts";
import { assertClose } from "../support/close.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const folder = temporaryFolder("llava-convert-parts");
const printed = mock.method(console, "log", () => {}); // of commands that run in this process
let made = 0;

async function run(source: string, to: string, ...options: string[]) {
  const output = join(folder, String(made++));
  const words = ["-q", "convert", source, "--to", to, "--output", output, ...options];
  return { output, ...(await llavaHere(words)) };
}

async function converted(source: string, to: string, ...options: string[]): Promise<string> {
  const { output, status, stderr } = await run(source, to, ...options);
  assert.equal(status, 0, stderr);
  assert.equal(existsSync(`${output}.partial`), false);
  return output;
}

/** Bytes of a file's tensors by their names. */
function bytesOf(...path: string[]): Map<string, string> {
  using file = openWeights(join(...path));
  return new Map(
    Array.from(file.names(), (name) => [name, Buffer.from(file.read(name).toBytes()).toString("base64")]),
  );
}

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

async function logitsOf(path: string, base: string) {
  using loaded = await loadPretrained({ kind: "folder", path }, { base });
  return inference(() => loaded.model.forward(longTensor([1, 5, 9, 11, 30, 2], [1, 6])));
}

describe("an adapter of the original code", () => {
  const source = join(fixtures, "lora/original");
  const base = join(fixtures, "llava/original");

  test("becomes one of PEFT's for transformers' LLaVA with the same logits, and itself again", async () => {
    const newBase = await converted(base, "hf");
    const there = await converted(source, "hf", "--base", newBase);
    const config = readJson(there, "adapter_config.json");
    assert.deepEqual(config.modules_to_save, ["multi_modal_projector"]);
    assert.ok(config.target_modules.includes("model.language_model.layers.0.self_attn.q_proj"));
    assert.equal(config.base_model_name_or_path, newBase);
    const names = [...bytesOf(there, "adapter_model.safetensors").keys()];
    assert.ok(names.includes("base_model.model.model.language_model.layers.1.mlp.up_proj.lora_B.weight"));
    assert.ok(names.includes("base_model.model.model.multi_modal_projector.linear_2.bias"));
    const expected = await logitsOf(source, base);
    const actual = await logitsOf(there, newBase);
    assertClose(actual.slice(-1, 0, expected.shape.at(-1)!), expected, 0, "logits");

    const back = await converted(there, "original", "--base", base);
    assert.deepEqual(
      sorted(bytesOf(back, "adapter_model.safetensors")),
      sorted(bytesOf(source, "adapter_model.bin")),
    );
    assert.deepEqual(
      sorted(bytesOf(back, "non_lora_trainables.bin")),
      sorted(bytesOf(source, "non_lora_trainables.bin")),
    );
    assert.deepEqual(readJson(back, "config.json"), readJson(base, "config.json"));
    const written = readJson(back, "adapter_config.json").target_modules.sort();
    assert.deepEqual(written, readJson(source, "adapter_config.json").target_modules.sort());
    assertClose(await logitsOf(back, base), expected, 0, "logits there and back");
  });

  test("is reported tensor by tensor, with what its base must be", async () => {
    printed.mock.resetCalls();
    await converted(source, "hf", "--json");
    const report = JSON.parse(String(printed.mock.calls.at(-1)!.arguments[0]));
    assert.equal(report.tensors.length, 14 * 2 + 4);
    assert.ok(report.tensors.every(({ isEqual }: { isEqual: boolean }) => isEqual));
    assert.deepEqual([report.from, report.to, report.largestDifference], ["original", "hf", 0]);
    assert.match(report.notes.join(), /PEFT needs a LLaVA in Hugging Face's layout/);
  });
});

describe("an adapter of PEFT's", () => {
  test("keeps lengths of rows and sizes of its own", async () => {
    const source = join(fixtures, "training/adapter-decomposed");
    const base = join(fixtures, "llava/llama");
    const there = await converted(source, "original");
    const names = [...bytesOf(there, "adapter_model.safetensors").keys()];
    assert.ok(names.includes("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector"));
    const back = await converted(there, "hf", "--base", base);
    assert.deepEqual(
      sorted(bytesOf(back, "adapter_model.safetensors")),
      sorted(bytesOf(source, "adapter_model.safetensors")),
    );
    assertClose(await logitsOf(back, base), await logitsOf(source, base), 0, "logits");
    const kinds = join(fixtures, "lora/kinds");
    const again = await converted(join(kinds, "patterns"), "hf", "--base", base);
    assertClose(await logitsOf(again, base), await logitsOf(join(kinds, "patterns"), base), 0, "patterns");
    const biases = await converted(join(kinds, "biases"), "hf", "--base", base);
    assert.deepEqual(readJson(biases, "adapter_config.json").modules_to_save.sort(), [
      "embed_tokens",
      "lm_head",
    ]);
    assertClose(await logitsOf(biases, base), await logitsOf(join(kinds, "biases"), base), 0, "biases");
  });

  test("that reaches the tower, or whose base is of another layout, is refused in one line", async () => {
    const cases: [string, string[], RegExp][] = [
      ["lora/kinds/regex", [], /the original layout cannot hold an adapter of model\.vision_tower\./],
      [
        "lora/llava",
        ["--base", join(fixtures, "llava/llama")],
        /config\.json is not of the original layout, and an adapter in it needs one/,
      ],
    ];
    for (const [name, options, message] of cases) {
      const { output, status, stderr } = await run(join(fixtures, name), "original", ...options);
      assert.notEqual(status, 0);
      assert.match(stderr, message);
      assert.ok(stderr.trim().split("\n").length <= 2, stderr);
      assert.equal(existsSync(output) || existsSync(`${output}.partial`), false);
    }
  });
});

describe("a projector", () => {
  test("goes from one layout to the other and back, from a file or its folder", async () => {
    const source = join(fixtures, "lora/original/non_lora_trainables.bin");
    const there = await converted(source, "hf");
    assert.deepEqual(readdirSync(there), ["projector.safetensors"]);
    using written = openSafetensors(join(there, "projector.safetensors"));
    assert.ok(written.has("model.multi_modal_projector.linear_1.weight"));
    const back = await converted(join(there, "projector.safetensors"), "original");
    using file = openTorchFile(join(back, "mm_projector.bin"));
    assert.deepEqual([...file.names()].sort(), [
      "model.mm_projector.0.bias",
      "model.mm_projector.0.weight",
      "model.mm_projector.2.bias",
      "model.mm_projector.2.weight",
    ]);
    using first = openProjector(source);
    using last = openProjector(join(back, "mm_projector.bin"));
    for (const name of first.names()) assertClose(last.read(name), first.read(name), 0, name);
  });
});
