import assert from "node:assert/strict";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ggufMetadata } from "../../../test/support/gguf-metadata.ts";
import { LlavaError } from "../../errors.ts";
import { loadTokenizer, StreamDecoder, type Tokenizer, tokenizerFromGguf } from "./index.ts";

const fixtures = join(import.meta.dirname, "../../../test/fixtures/tokenizer");
const fixture = async (path: string) => JSON.parse(await readFile(join(fixtures, path), "utf8"));

interface Expected {
  readonly special: number[][];
  readonly plain: number[][];
  readonly decoded: string[];
}
const expected = (await fixture("expected.json")) as Record<string, Expected> & { texts: string[] };
const names = ["smollm", "llama3", "qwen2", "llama2", "metaspace"];
const tokenizers = new Map<string, Tokenizer>();
for (const name of [...names, "sentencepiece"])
  tokenizers.set(name, await loadTokenizer(join(fixtures, name)));

const words = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom(
    "</s>",
    "<s>",
    "<|im_end|>",
    "<|im_start|>",
    "<image>",
    "<unk>",
    "the dog",
    " ",
    "\n",
    "▁",
    "<0x41>",
  ),
);
const text = fc.array(words, { maxLength: 8 }).map((parts) => parts.join(""));

for (const name of names) {
  const tokenizer = tokenizers.get(name)!;
  describe(`${name} agrees with the reference tokenizers`, () => {
    expected.texts.forEach((sample, i) => {
      const reference = expected[name]!;
      test(JSON.stringify(sample), () => {
        assert.deepEqual(tokenizer.encode(sample), reference.plain[i], "as user text");
        assert.deepEqual(
          tokenizer.encode(sample, { special: true }),
          reference.special[i],
          "as template text",
        );
        assert.equal(tokenizer.decode(reference.plain[i]!), reference.decoded[i]);
      });
    });
  });
}

test("a SentencePiece model file gives the ids of the sentencepiece library", () => {
  const tokenizer = tokenizers.get("sentencepiece")!;
  expected.texts.forEach((sample, i) => {
    assert.deepEqual(tokenizer.encode(sample), expected["sentencepiece"]!.plain[i], JSON.stringify(sample));
  });
  assert.equal(tokenizer.addsBos, true);
  assert.deepEqual(tokenizer.encode("a</s>", { special: true, addBos: true }).at(-1), tokenizer.eosId);
});

describe("GGUF metadata", () => {
  test("describes the same tokenizer as tokenizer.json", async () => {
    const preTokenizers = { smollm: "smollm", llama3: "llama-bpe", qwen2: "qwen2" };
    for (const [name, pre] of Object.entries(preTokenizers)) {
      const tokenizer = tokenizerFromGguf(await ggufMetadata(name, pre));
      expected.texts.forEach((sample, i) => {
        assert.deepEqual(tokenizer.encode(sample), expected[name]!.plain[i], JSON.stringify(sample));
        assert.deepEqual(tokenizer.encode(sample, { special: true }), expected[name]!.special[i]);
      });
      assert.equal(tokenizer.addsBos, false);
      assert.equal(tokenizer.idToToken(tokenizer.eosId!), "</s>");
    }
  });

  test("of a SentencePiece vocabulary merges by score and never into control pieces", () => {
    const tokens = [
      "<unk>",
      "<s>",
      "</s>",
      "<0x21>",
      "▁",
      "a",
      "b",
      "ab",
      "▁a",
      "<",
      "/",
      "s",
      ">",
      "</",
      "</s",
      "s>",
    ];
    const scores = tokens.map((_, id) => -id);
    const tokenizer = tokenizerFromGguf(
      new Map<string, unknown>([
        ["tokenizer.ggml.model", "llama"],
        ["tokenizer.ggml.tokens", tokens],
        ["tokenizer.ggml.scores", scores],
        ["tokenizer.ggml.token_type", [2, 3, 3, 6, ...tokens.slice(4).map(() => 1)]],
        ["tokenizer.ggml.bos_token_id", 1],
        ["tokenizer.ggml.eos_token_id", 2],
      ]),
    );
    const pieces = (sample: string, special = false) =>
      tokenizer.encode(sample, { special }).map((id) => tokenizer.idToToken(id));
    assert.deepEqual(pieces("ab"), ["▁", "ab"]);
    assert.deepEqual(pieces("a!"), ["▁a", "<0x21>"]);
    assert.deepEqual(pieces("a?"), ["▁a", "<unk>"]);
    assert.deepEqual(pieces("</s>"), ["▁", "</s", ">"]);
    assert.deepEqual(pieces("a</s>", true), ["▁a", "</s>"]);
    assert.equal(tokenizer.decode(tokenizer.encode("ab b")), "ab b");
    assert.equal(tokenizer.addsBos, true);
  });

  test("without a known pre-tokenizer is refused by name", async () => {
    const metadata = await ggufMetadata("smollm", "martian");
    assert.throws(
      () => tokenizerFromGguf(metadata),
      (error: LlavaError) =>
        error.code === "checkpoint" && /"martian"/.test(error.message) && /smollm/.test(error.hint!),
    );
    metadata.delete("tokenizer.ggml.tokens");
    assert.throws(() => tokenizerFromGguf(metadata), /tokenizer\.ggml\.tokens/);
  });
});

describe("properties of every tokenizer", () => {
  for (const [name, tokenizer] of tokenizers) {
    const special = new Set(tokenizer.specialTokens.values());

    test(`${name}: user text never gives a special id`, () => {
      const unknown = tokenizer.unkId;
      fc.assert(
        fc.property(text, (sample) => {
          const ids = tokenizer.encode(sample).filter((id) => id !== unknown);
          assert.ok(!ids.some((id) => special.has(id)));
        }),
      );
    });

    test(`${name}: decoding gives the text back`, () => {
      const normal = name === "qwen2" ? text.map((sample) => sample.normalize("NFC")) : text;
      const kept = normal.map((sample) => sample.toWellFormed().replaceAll("▁", "_").replaceAll("<0x", "0x"));
      const lossless = name === "metaspace" ? kept.filter((sample) => !sample.startsWith(" ")) : kept;
      fc.assert(
        fc.property(lossless, (sample) => {
          assert.equal(tokenizer.decode(tokenizer.encode(sample)), sample);
        }),
      );
    });

    test(`${name}: streamed pieces are complete characters and add up to the whole`, () => {
      const anyIds = fc.array(fc.nat(tokenizer.vocabSize - 1), { maxLength: 30 });
      const ids = fc.oneof(
        anyIds,
        text.map((sample) => tokenizer.encode(sample)),
      );
      fc.assert(
        fc.property(ids, fc.boolean(), (sequence, skipSpecial) => {
          const decoder = new StreamDecoder(tokenizer, { skipSpecial });
          const pieces = [...sequence.map((id) => decoder.push(id)), decoder.flush()];
          assert.equal(pieces.join(""), tokenizer.decode(sequence, { skipSpecial }));
          assert.ok(pieces.every((piece) => piece.isWellFormed()));
        }),
      );
    });

    test(`${name}: spans encode as the string they form, and each id knows its spans`, () => {
      fc.assert(
        fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (parts) => {
          const spans = parts.map((part) => ({ text: part.toWellFormed(), special: false }));
          const { ids, firstSpan, lastSpan } = tokenizer.encodeSpans(spans);
          assert.deepEqual(ids, tokenizer.encode(spans.map((span) => span.text).join("")));
          for (let i = 0; i < ids.length; i++) {
            assert.ok(firstSpan[i]! <= lastSpan[i]!);
            assert.ok(i === 0 || firstSpan[i]! >= firstSpan[i - 1]!);
          }
          const covered = new Set(ids.flatMap((_, i) => [firstSpan[i], lastSpan[i]]));
          if (spans.length === 2 && spans.every((span) => /^\w/.test(span.text))) {
            assert.deepEqual([...covered], [0, 1]);
          }
        }),
      );
    });
  }
});

test("an emoji split over tokens is held back until it is whole", () => {
  const tokenizer = tokenizers.get("smollm")!;
  const ids = tokenizer.encode("a👍");
  const decoder = new StreamDecoder(tokenizer);
  assert.deepEqual(ids.length, 5);
  assert.deepEqual(
    ids.map((id) => decoder.push(id)),
    ["a", "", "", "", "👍"],
  );
  decoder.push(ids[1]!);
  assert.equal(decoder.flush(), "\uFFFD");
});

test("ids of a span begin with the space merged into its first word", () => {
  const tokenizer = tokenizers.get("smollm")!;
  const { ids, firstSpan, lastSpan } = tokenizer.encodeSpans([
    { text: "ASSISTANT: ", special: true },
    { text: "the dog", special: false },
    { text: "</s>", special: true },
  ]);
  const joined = ids.findIndex((_, i) => firstSpan[i] === 0 && lastSpan[i] === 1);
  assert.equal(tokenizer.idToToken(ids[joined]!)?.startsWith("Ġ"), true);
  assert.equal(ids.at(-1), tokenizer.eosId);
  assert.deepEqual([firstSpan.at(-1), lastSpan.at(-1)], [2, 2]);
});

test("roles come from configuration files of either generation", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tokenizer-"));
  await writeFile(join(folder, "tokenizer.json"), await readFile(join(fixtures, "smollm/tokenizer.json")));
  await writeFile(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({
      bos_token: null,
      added_tokens_decoder: { "500": { content: "<extra>", special: true } },
      extra_special_tokens: { image_token: "<think>" },
      add_bos_token: false,
    }),
  );
  await writeFile(
    join(folder, "special_tokens_map.json"),
    JSON.stringify({ bos_token: "<s>", pad_token: { content: "<|im_end|>" } }),
  );
  const tokenizer = await loadTokenizer(folder);
  assert.equal(tokenizer.idToToken(tokenizer.bosId!), "<s>");
  assert.equal(tokenizer.idToToken(tokenizer.padId!), "<|im_end|>");
  assert.equal(tokenizer.specialTokens.get("<extra>"), 500);
  assert.ok(
    tokenizer.specialTokens.has("<think>"),
    "a token named special is special even if it was added as ordinary",
  );
  assert.equal(tokenizer.vocabSize, 501);
  assert.equal(tokenizer.addsBos, false);
});

test("folders without a usable tokenizer are refused with the path", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tokenizer-"));
  const refuses = (pattern: RegExp) =>
    assert.rejects(
      loadTokenizer(folder),
      (error) => error instanceof LlavaError && pattern.test(error.message),
    );
  await refuses(new RegExp(`${folder}.*neither`));
  await writeFile(join(folder, "tokenizer.model"), new Uint8Array([10, 200]));
  await refuses(/tokenizer\.model is not a SentencePiece model/);
  await writeFile(join(folder, "tokenizer.json"), '{"model": {"type": "Unigram", "vocab": []}}');
  await refuses(/tokenizer\.json: the tokenizer model is Unigram, expected BPE/);
  await writeFile(join(folder, "tokenizer.json"), '{"model": ');
  await refuses(/tokenizer\.json is not valid JSON/);
});

describe("roles that tokenizer_config.json leaves open", () => {
  const rolesOf = async (
    files: Readonly<Record<string, unknown>>,
    change: (json: object) => object = (json) => json,
  ) => {
    const folder = await mkdtemp(join(tmpdir(), "tokenizer-"));
    const json = JSON.parse(await readFile(join(fixtures, "metaspace/tokenizer.json"), "utf8"));
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(change(json)));
    for (const [name, content] of Object.entries(files))
      await writeFile(join(folder, name), JSON.stringify(content));
    const tokenizer = await loadTokenizer(folder);
    const named = (id: number | undefined) => (id === undefined ? undefined : tokenizer.idToToken(id));
    return [tokenizer.addsBos ? named(tokenizer.bosId) : undefined, named(tokenizer.eosId)];
  };
  const withoutProcessor = (json: object) => ({ ...json, post_processor: null });

  test("come from the post-processor, which puts the begin token in front whoever names it", async () => {
    assert.deepEqual(await rolesOf({}), ["<s>", undefined]);
    assert.deepEqual(await rolesOf({ "tokenizer_config.json": { tokenizer_class: "X" } }), [
      "<s>",
      undefined,
    ]);
    assert.deepEqual(await rolesOf({ "tokenizer_config.json": { bos_token: null } }), ["<s>", undefined]);
    assert.deepEqual(await rolesOf({ "tokenizer_config.json": { bos_token: "</s>" } }), ["<s>", undefined]);
    const map = { bos_token: "<s>", eos_token: { content: "</s>" } };
    assert.deepEqual(await rolesOf({ "special_tokens_map.json": map }), ["<s>", "</s>"]);
    assert.deepEqual(await rolesOf({ "special_tokens_map.json": map }, withoutProcessor), [
      undefined,
      "</s>",
    ]);
    const sequence = (json: object) => ({
      ...json,
      post_processor: {
        type: "Sequence",
        processors: [{ type: "ByteLevel" }, (json as { post_processor: object }).post_processor],
      },
    });
    assert.deepEqual(await rolesOf({}, sequence), ["<s>", undefined]);
  });

  test("else from the ids of the model's files, unless a role is said to be none", async () => {
    const ids = { bos_token_id: 1, eos_token_id: [461, 2] };
    assert.deepEqual(await rolesOf({ "generation_config.json": ids }), ["<s>", "<|im_end|>"]);
    assert.deepEqual(await rolesOf({ "config.json": { text_config: ids } }), ["<s>", "<|im_end|>"]);
    assert.deepEqual(
      await rolesOf({
        "config.json": { text_config: { eos_token_id: 1 } },
        "generation_config.json": { eos_token_id: 2 },
      }),
      ["<s>", "</s>"],
    );
    assert.deepEqual(
      await rolesOf(
        { "config.json": ids, "tokenizer_config.json": { add_bos_token: true, eos_token: null } },
        withoutProcessor,
      ),
      ["<s>", undefined],
    );
    assert.deepEqual(await rolesOf({ "config.json": ids }, withoutProcessor), [undefined, "<|im_end|>"]);
  });

  test("and tokens that a checkpoint wants besides get ids behind the last, once", async () => {
    const folder = join(fixtures, "llama2");
    const { vocabSize } = await loadTokenizer(folder);
    const tokenizer = await loadTokenizer(folder, ["<im_start>", "<|im_end|>", "<im_end>"]);
    const ids = ["<im_start>", "<|im_end|>", "<im_end>"].map((token) => tokenizer.tokenToId(token));
    assert.deepEqual(ids, [vocabSize, 461, vocabSize + 1]);
    assert.equal(tokenizer.encode("<im_start>", { special: true }).length, 1);
    assert.ok(tokenizer.encode("<im_start>").length > 1);
  });
});
