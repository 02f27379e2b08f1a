import assert from "node:assert/strict";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { openCheckpoint, writeSafetensors } from "../checkpoint/index.ts";
import { aten, Generator, randn, scope, type Tensor } from "../torch/index.ts";
import { loadCheckpoint } from "./index.ts";

const source = fileURLToPath(new URL("../../test/fixtures/llava/original", import.meta.url));
const folder = temporaryFolder("llava-delta");
const delta = join(folder, "delta");
cpSync(source, delta, { recursive: true });

const TABLES = ["model.embed_tokens.weight", "lm_head.weight"];
const NEW_WORDS = 3;
using stored = openCheckpoint(source);
const storedName = (name: string) => name.replace("model.language_model.", "model.");
const isOfLanguage = (name: string) => /^(?:model\.language_model|lm_head)\./.test(name);

/** A language model that the fixture may be the difference from, with fewer words. */
function writeBase(name: string, change: (tensors: Map<string, Tensor>) => void = () => {}): string {
  const path = join(folder, name);
  mkdirSync(path);
  scope(() => {
    const generator = new Generator(3);
    const tensors = new Map<string, Tensor>();
    for (const canonical of stored.names()) {
      if (!isOfLanguage(canonical) || canonical.includes("rotary_emb")) continue;
      const [rows = 0, ...rest] = stored.info(canonical).shape;
      const own = storedName(canonical);
      tensors.set(own, randn([TABLES.includes(own) ? rows - NEW_WORDS : rows, ...rest], generator));
    }
    change(tensors);
    writeSafetensors(join(path, "model.safetensors"), tensors);
  });
  return path;
}

test("a base is added to the difference, new words and the projector are the difference's own", async () => {
  const base = writeBase("base");
  using added = openCheckpoint(base);
  using whole = await loadCheckpoint(delta, { deltaOf: base });
  using origin = whole.origin!.open();
  let count = 0;
  for (const [path, parameter] of whole.model.namedParameters()) {
    const name = whole.model.paths.read(path)!;
    const expected = scope(() => {
      const own = stored.has(name) ? stored.read(name) : origin.read(name);
      if (!isOfLanguage(name)) return own.clone();
      const theirs = added.read(name);
      const sum = own.clone();
      sum.slice(0, 0, theirs.size(0)).copy_(own.slice(0, 0, theirs.size(0)).add(theirs));
      count++;
      return sum;
    });
    assert.ok(aten.equal(parameter, expected), name);
    assert.ok(aten.equal(origin.read(name), expected), name);
  }
  assert.equal(count, [...added.names()].length);
});

test("a base of another architecture is refused, by the first tensor that tells", async () => {
  const narrow = writeBase("narrow", (tensors) => {
    const name = "model.layers.0.mlp.up_proj.weight";
    tensors.set(name, randn([4096, tensors.get(name)!.size(1)], new Generator(1)));
  });
  await assert.rejects(loadCheckpoint(delta, { deltaOf: narrow }), /up_proj\.weight is of \[.*4096/);
  const shallow = writeBase("shallow", (tensors) => {
    tensors.delete("model.layers.1.mlp.up_proj.weight");
  });
  await assert.rejects(loadCheckpoint(delta, { deltaOf: shallow }), /layers\.1.*in the delta alone/);
});

test("who loads a difference by itself is told so", async () => {
  const lines: string[] = [];
  using _ = await loadCheckpoint(delta, { report: (line) => lines.push(line) });
  assert.match(lines.join("\n"), /--delta-of/);
});
