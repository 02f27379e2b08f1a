// Matrices in blocks: npm test -- src/pretrained/kept-weights.test.ts
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { largestDifference } from "../../test/support/close.ts";
import { randomize, tinyText } from "../../test/support/random-model.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { loadStrict, type TensorSource } from "../checkpoint/index.ts";
import { Llama, type LlamaConfig } from "../models/index.ts";
import { BlockEmbedding, BlockLinear } from "../nn/index.ts";
import {
  cat,
  type DType,
  inference,
  liveTensors,
  longTensor,
  quantize,
  type Tensor,
  type WrittenBlockType,
} from "../torch/index.ts";
import { loadCheckpoint, loadPretrained, saveModel } from "./index.ts";
import { inBlocks } from "./kept-weights.ts";
import type { LoadOptions } from "./pretrained.ts";

const fixture = fileURLToPath(new URL("../../test/fixtures/llava/llama", import.meta.url));

const scratch = temporaryFolder("llava-kept-weights");

/** Rows of 256, of 512 behind the gate, and of 64 behind the values. */
const wide: LlamaConfig = {
  ...tinyText,
  hiddenSize: 256,
  intermediateSize: 512,
  headDim: 16,
  vocabSize: 96,
};

/** A model's parameters as a file would have them, those of `stored` in blocks; tells of each that is read as numbers. */
function sourceOf(
  model: Llama,
  stored: WrittenBlockType | undefined,
  onRead: (name: string) => void,
): TensorSource {
  const parameters = model.namedParameters();
  const isMatrix = (name: string) => parameters.get(name)!.shape.length === 2;
  return {
    where: "memory",
    names: () => parameters.keys(),
    has: (name) => parameters.has(name),
    info: (name) => ({ dtype: "float32", shape: parameters.get(name)!.shape }),
    read(name, dtype: DType = "float32") {
      onRead(name);
      return parameters.get(name)!.clone().to(dtype);
    },
    blocks: (name) =>
      stored && isMatrix(name)
        ? { type: stored, blocks: quantize(parameters.get(name)!, stored) }
        : undefined,
    [Symbol.dispose]() {},
  };
}

interface Kept extends Pick<LoadOptions, "dtype"> {
  readonly weights: "stored" | "int8" | "int4";
  readonly stored?: WrittenBlockType;
}

function keep(model: Llama, { weights, stored, dtype }: Kept) {
  const lines: string[] = [];
  const kept = new Llama(model.config);
  const before = liveTensors();
  let left = 0;
  const read: string[] = [];
  const source = sourceOf(model, stored, (name) => {
    left = Math.max(left, liveTensors() - before - read.length);
    read.push(name);
  });
  const options = { weights, ...(dtype && { dtype }), report: (line: string) => lines.push(line) };
  loadStrict(inBlocks(kept, kept, options), source, dtype ? { dtype } : {});
  const types = new Map(
    [...kept.namedModules()].flatMap(([name, module]) =>
      module instanceof BlockLinear || module instanceof BlockEmbedding ? [[name, module.type] as const] : [],
    ),
  );
  return { kept, types, lines, read, left };
}

const logits = (model: Llama, ids: readonly number[][], options = {}): Tensor =>
  inference(() =>
    model
      .logits(model.forward(model.embed(longTensor(ids.flat(), [ids.length, ids[0]!.length])), options))
      .to("float32"),
  );
const relative = (actual: Tensor, expected: Tensor): number =>
  largestDifference(actual, expected) / expected.abs().amax().item();
const ids = Array.from({ length: 40 }, (_, i) => (i * 29 + 7) % 96);

describe("matrices of a language model in blocks", () => {
  // The random model's layers are far from a trained one's: they magnify rounding.
  for (const [weights, isTied, bound, types] of [
    ["int8", false, 0.04, { layers: "Q8_0", lm_head: "Q8_0", embed_tokens: undefined }],
    ["int8", true, 0.04, { layers: "Q8_0", lm_head: undefined, embed_tokens: "Q8_0" }],
    ["int4", false, 0.3, { layers: "Q4_K", lm_head: "Q6_K", embed_tokens: undefined }],
    ["int4", true, 0.3, { layers: "Q4_K", lm_head: undefined, embed_tokens: "Q6_K" }],
  ] as const)
    test(`${weights}${isTied ? ", tied" : ""}: near the logits of float32, cached as whole, batched as single`, () => {
      const model = randomize(new Llama({ ...wide, tieWordEmbeddings: isTied }), 3);
      for (const [name, parameter] of model.namedParameters())
        if (parameter.shape.length === 2) model.setParameter(name, parameter.mul(0.2));
      const { kept, types: found, left, lines } = keep(model, { weights });
      assert.equal(left, 0, "no tensor is alive beside those that have taken their places");
      assert.equal(found.get("layers.0.mlp.gate_proj"), types.layers);
      assert.equal(found.get("layers.1.self_attn.o_proj"), weights === "int4" ? "Q4_0" : "Q8_0");
      assert.equal(found.get("lm_head"), types.lm_head);
      assert.equal(found.get("embed_tokens"), types.embed_tokens);
      assert.equal(found.size, 15);
      assert.equal(lines.length, 1);

      const [expected, whole] = [logits(model, [ids]), logits(kept, [ids])];
      const difference = relative(whole, expected);
      assert.ok(difference > 0 && difference < bound, `${difference} from float32`);
      using cache = kept.newCache({ batch: 1, capacity: ids.length });
      const steps = inference(() =>
        cat(
          ids.map((id) => logits(kept, [[id]], { cache })),
          1,
        ),
      );
      assert.ok(relative(steps, whole) < 0.04, `${relative(steps, whole)} from the whole`);
      const rows = [ids.slice(0, 6), ids.slice(10, 16), ids.slice(20, 26)];
      const batch = logits(kept, rows);
      for (const [i, row] of rows.entries())
        assert.ok(relative(batch.slice(0, i, i + 1), logits(kept, [row])) < 1e-5, `row ${i} of a batch`);
    });

  test("activations and what is in no blocks are of the type asked for", () => {
    const { kept } = keep(randomize(new Llama({ ...wide, tieWordEmbeddings: true }), 3), {
      weights: "int8",
      dtype: "bfloat16",
    });
    assert.equal(kept.computeDtype, "bfloat16");
    assert.equal(kept.embed(longTensor([1, 2], [1, 2])).dtype, "bfloat16");
    assert.equal(kept.norm.weight.dtype, "bfloat16");
  });

  test("blocks of as many bits as are asked for stay as they lie, others are made anew", () => {
    const model = randomize(new Llama(wide), 5);
    const matrices = (names: readonly string[]) => names.filter((name) => !/norm|bias|embed/.test(name));
    const stored = keep(model, { weights: "stored", stored: "Q4_0" });
    assert.deepEqual([...new Set(stored.types.values())], ["Q4_0"]);
    assert.equal(stored.types.size, 16, "the embedding's too");
    assert.deepEqual(matrices(stored.read), []);
    assert.deepEqual(stored.lines, ["matrices of the language model: 16 in Q4_0"]);
    const [weight] = [...stored.kept.namedParameters()].find(([name]) => name === "lm_head.weight")!.slice(1);
    assert.deepEqual(
      (weight as Tensor).toNumbers(),
      quantize(model.namedParameters().get("lm_head.weight")!, "Q4_0").toNumbers(),
    );
    const four = keep(model, { weights: "int4", stored: "Q4_0" });
    assert.deepEqual(matrices(four.read), ["lm_head.weight"], "whose 6 bits are more than the file's");
    assert.equal(matrices(keep(model, { weights: "int8", stored: "Q4_0" }).read).length, 15);
    assert.equal(matrices(keep(model, { weights: "int8", stored: "Q8_0" }).read).length, 0);
  });

  test("rows that no block divides stay in floating point, and are named", () => {
    const { types, lines } = keep(randomize(new Llama({ ...wide, intermediateSize: 40 }), 5), {
      weights: "int4",
    });
    assert.ok(!types.has("layers.0.mlp.down_proj") && types.has("layers.0.mlp.up_proj"));
    assert.match(
      lines.join(),
      /2 not in blocks, whose rows are no multiple of 32: layers\.0\.mlp\.down_proj, layers\.1/,
    );
  });
});

describe("a checkpoint", () => {
  test("loads with its language model in blocks, and tower and projector as without", async () => {
    const lines: string[] = [];
    using kept = await loadCheckpoint(fixture, { weights: "int8", report: (line) => lines.push(line) });
    using whole = await loadCheckpoint(fixture);
    const types = new Map([...whole.model.namedParameters()].map(([name, { dtype }]) => [name, dtype]));
    const changed = [...kept.model.namedParameters()].filter(
      ([name, { dtype }]) => dtype !== types.get(name),
    );
    assert.deepEqual(
      changed.map(([name, { dtype }]) => `${name} ${dtype}`),
      [0, 1].map((layer) => `language_model.layers.${layer}.mlp.down_proj.weight uint8`),
    );
    const output = {
      origin: kept.origin!,
      dtype: "float32",
      metadata: {},
      prompts: { chatTemplate: "{{ messages }}", stopIds: [2] },
    } as const;
    assert.throws(() => saveModel(kept.model, join(scratch, "saved"), output), {
      code: "usage",
      message: /down_proj\.weight is kept in few bits/,
    });
    assert.deepEqual(readdirSync(scratch), []);
    assert.match(
      lines.join("\n"),
      /2 in Q8_0; 13 not in blocks, whose rows are no multiple of 32: language_model\./,
    );
  });

  test("is left as it is where stored in no blocks; bf16 is bfloat16", async () => {
    using stored = await loadCheckpoint(fixture, { weights: "stored" });
    using narrow = await loadCheckpoint(fixture, { weights: "bf16" });
    assert.deepEqual([...new Set(stored.model.parameters().map(({ dtype }) => dtype))], ["float32"]);
    assert.deepEqual([...new Set(narrow.model.parameters().map(({ dtype }) => dtype))], ["bfloat16"]);
  });

  test("is refused two types at once, and blocks on a GPU", async () => {
    await assert.rejects(loadCheckpoint(fixture, { weights: "bf16", dtype: "float32" }), {
      code: "usage",
      message: /bf16 .* and float32 is asked for/,
    });
    await assert.rejects(
      loadPretrained({ kind: "folder", path: fixture }, { weights: "int8", device: "cuda" }),
      {
        code: "usage",
        message: /on the CPU, not on cuda/,
      },
    );
  });
});
