import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../errors.ts";
import { configFromGguf, ggufDialect, ggufNames } from "../../models/index.ts";
import { quantize } from "../../torch/index.ts";
import { openSafetensors } from "../safetensors.ts";
import { parseGgufHeader } from "./header.ts";
import { openGguf } from "./open.ts";

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../../test/fixtures/checkpoint/${name}`, import.meta.url));
const whole = readFileSync(fixture("quantised.gguf"));
const folder = temporaryFolder("gguf");

describe("GGUF tensors", () => {
  test("every type dequantises to the reference values exactly, under Hugging Face names and row order", () => {
    using expected = openSafetensors(fixture("quantised.safetensors"));
    using actual = openGguf(fixture("quantised.gguf"), ggufDialect);
    assert.deepEqual([...actual.names()].sort(), [...expected.names()].sort());
    const types = new Set<string>();
    for (const name of expected.names()) {
      types.add(actual.info(name).dtype);
      const values = actual.read(name, "float32");
      assert.deepEqual(values.shape, expected.info(name).shape, name);
      assert.deepEqual(values.toFloat32Array(), expected.read(name).toFloat32Array(), name);
    }
    assert.deepEqual([...types].sort(), [
      "BF16",
      "F16",
      "F32",
      "Q4_0",
      "Q4_1",
      "Q4_K",
      "Q5_0",
      "Q5_1",
      "Q5_K",
      "Q6_K",
      "Q8_0",
    ]);
  });

  test("the requested dtype is rounded to once, from float32", () => {
    using source = openGguf(fixture("quantised.gguf"), ggufDialect);
    for (const name of ["model.layers.0.mlp.gate_proj.weight", "model.layers.0.self_attn.o_proj.weight"]) {
      const rounded = source.read(name, "bfloat16");
      assert.equal(rounded.dtype, "bfloat16");
      assert.deepEqual(rounded.toFloat32Array(), source.read(name).to("bfloat16").toFloat32Array());
    }
    assert.equal(source.read("lm_head.weight").dtype, "bfloat16");
  });
});

test("numbers become the blocks that ggml's reference code makes of them, bit for bit", () => {
  using expected = openSafetensors(fixture("blocks.safetensors"));
  const values = expected.read("values");
  for (const type of ["Q8_0", "Q4_0", "Q4_K", "Q6_K"] as const) {
    const blocks = quantize(values, type);
    assert.deepEqual(blocks.toNumbers(), expected.read(type).toNumbers(), type);
    assert.deepEqual(quantize(values.to("float64"), type).toNumbers(), blocks.toNumbers(), type);
  }
});

test("head counts that do not divide the query rows are refused before anything is read", () => {
  const changed = Uint8Array.from(whole);
  const key = Buffer.from("llama.attention.head_count");
  changed[whole.indexOf(key) + key.byteLength + 4] = 5;
  const path = join(folder, "heads.gguf");
  writeFileSync(path, changed);
  assert.throws(
    () => openGguf(path, ggufDialect),
    /heads\.gguf: blk\.0\.attn_q\.weight has 32 rows for 5 heads/,
  );
});

describe("GGUF header", () => {
  test("metadata of every kind", () => {
    const { version, metadata } = parseGgufHeader(whole, "x.gguf");
    assert.equal(version, 3);
    assert.deepEqual(metadata.get("tokenizer.ggml.tokens"), ["<s>", "é", "日本", "\u{1f600}"]);
    assert.deepEqual(metadata.get("tokenizer.ggml.scores"), [0.5, -1, 0, 2]);
    assert.equal(metadata.get("test.wide"), 2n ** 60n + 1n);
    assert.equal(metadata.get("test.flag"), true);
    assert.equal(metadata.get("llama.block_count"), 2);
  });

  test("a header longer than the first read is found whole", () => {
    const text = Buffer.alloc(5 << 20, "x");
    const path = join(folder, "long.gguf");
    writeFileSync(
      path,
      Buffer.concat([...start(0n, 1n), string("k"), uint32(8), uint64(BigInt(text.length)), text]),
    );
    assert.equal((openGguf(path).header.metadata.get("k") as string).length, text.length);
  });

  test("a file cut anywhere is a LlavaError", () => {
    for (let length = 0; length < whole.byteLength; length += 11) {
      assert.throws(
        () => parseGgufHeader(whole.subarray(0, length), "x.gguf"),
        { name: "LlavaError" },
        `${length}`,
      );
    }
  });

  test("any byte changed gives a header or a LlavaError", () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Uint8Array.from(whole);
        changed[at]! ^= flip;
        try {
          configFromGguf(parseGgufHeader(changed, "x.gguf"), "x.gguf");
        } catch (error) {
          assert.ok(error instanceof LlavaError, String((error as Error).stack));
        }
      }),
      { numRuns: 1000, seed: 4 },
    );
  });

  const uint32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const uint64 = (value: bigint) => Buffer.from(BigUint64Array.of(value).buffer);
  const string = (text: string) =>
    Buffer.concat([uint64(BigInt(Buffer.byteLength(text))), Buffer.from(text)]);
  const start = (tensors: bigint, entries: bigint) => [
    Buffer.from("GGUF"),
    uint32(3),
    uint64(tensors),
    uint64(entries),
  ];
  const tensor = (type: number, shape: bigint[], offset: bigint) =>
    Buffer.concat([string("t"), uint32(shape.length), ...shape.map(uint64), uint32(type), uint64(offset)]);
  const filler = Buffer.alloc(256);

  const damage: Record<string, [bytes: Buffer[], message: RegExp]> = {
    "another magic": [[Buffer.from("<html>..............")], /not a GGUF file/],
    "version 1": [[Buffer.from("GGUF"), uint32(1)], /GGUF version 1; versions 2 and 3 are read/],
    "a version of the other byte order": [[Buffer.from("GGUF"), uint32(0x03000000)], /GGUF version 50331648/],
    "more entries than bytes": [start(0n, 1n << 40n), /1099511627776 metadata entries/],
    "a count beyond exact numbers": [start(1n << 63n, 0n), /a size of 9223372036854775808/],
    "an array longer than the file": [
      [...start(0n, 1n), string("k"), uint32(9), uint32(0), uint64(1_000_000n), filler],
      /cut short/,
    ],
    "arrays nested without end": [
      [
        ...start(0n, 1n),
        string("k"),
        uint32(9),
        ...Array.from({ length: 9 }, () => [uint32(9), uint64(1n)]).flat(),
      ],
      /k nests arrays deeper than 4/,
    ],
    "an unknown value type": [[...start(0n, 1n), string("k"), uint32(77), filler], /k has value type 77/],
    "a key twice": [
      [...start(0n, 2n), string("k"), uint32(7), Buffer.of(1), string("k"), uint32(7), Buffer.of(1), filler],
      /metadata key k occurs twice/,
    ],
    "a type that is not read": [
      [...start(1n, 0n), tensor(10, [256n], 0n), filler],
      /t has type Q2_K \(10\); read are F32/,
    ],
    "a type that does not exist": [
      [...start(1n, 0n), tensor(99, [256n], 0n), filler],
      /t has type unknown \(99\)/,
    ],
    "five dimensions": [
      [...start(1n, 0n), tensor(0, [1n, 1n, 1n, 1n, 1n], 0n), filler],
      /t has 5 dimensions/,
    ],
    "rows that split a block": [
      [...start(1n, 0n), tensor(8, [33n], 0n), filler],
      /t has rows of 33, not a multiple of Q8_0's 32/,
    ],
    "data outside the file": [
      [...start(1n, 0n), tensor(0, [1000n], 0n), filler],
      /cut short: t ends at byte/,
    ],
    "an offset out of step": [
      [...start(1n, 0n), tensor(0, [1n], 4n), filler],
      /t begins at 4, not a multiple of 32/,
    ],
  };
  for (const [what, [bytes, message]] of Object.entries(damage)) {
    test(`${what} is refused`, () => {
      assert.throws(() => parseGgufHeader(Buffer.concat(bytes), "x.gguf"), {
        name: "LlavaError",
        code: "checkpoint",
        message,
      });
    });
  }
});

describe("GGUF decoder configuration", () => {
  const header = parseGgufHeader(whole, "x.gguf");

  test("comes from metadata and tensors", () => {
    assert.deepEqual(configFromGguf(header, "x.gguf"), {
      family: "llama",
      vocabSize: 4,
      hiddenSize: 256,
      intermediateSize: 4,
      numLayers: 2,
      numHeads: 4,
      numKeyValueHeads: 2,
      headDim: 8,
      hiddenAct: "silu",
      rmsNormEps: 1e-5,
      ropeTheta: 50000,
      maxPositionEmbeddings: 64,
      tieWordEmbeddings: false,
      attentionBias: false,
      outputBias: false,
      mlpBias: false,
    });
  });

  const changed = (entries: Record<string, unknown>) => ({
    ...header,
    metadata: new Map([...header.metadata, ...Object.entries(entries)]),
  });

  test("linear rotary scaling is kept, others are refused", () => {
    const scaled = changed({ "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4 });
    assert.partialDeepStrictEqual(configFromGguf(scaled, "x"), {
      ropeScaling: { type: "linear", factor: 4 },
    });
    assert.throws(
      () => configFromGguf(changed({ "llama.rope.scaling.type": "yarn" }), "x"),
      /rope scaling yarn/,
    );
  });

  test("another architecture is refused by name", () => {
    assert.throws(() => configFromGguf(changed({ "general.architecture": "gemma" }), "x.gguf"), {
      code: "config",
      message: "x.gguf: GGUF architecture gemma; known are llama, qwen2, qwen3",
    });
  });

  test("names outside the scheme stay", () => {
    const nameFromGguf = (name: string) => ggufNames.read(name) ?? name;
    assert.equal(nameFromGguf("blk.12.attn_k.bias"), "model.layers.12.self_attn.k_proj.bias");
    assert.equal(nameFromGguf("output_norm.weight"), "model.norm.weight");
    for (const name of [
      "rope_freqs.weight",
      "blk.0.ffn_gate_exps.weight",
      "blk.0.output.weight",
      "v.patch_embd.weight",
    ]) {
      assert.equal(nameFromGguf(name), name);
    }
  });
});
