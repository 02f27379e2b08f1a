import assert from "node:assert/strict";
import { test } from "node:test";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { LlavaError } from "../../errors.ts";
import { readSentencePieceModel, type SentencePiece } from "./sentence-piece.ts";

/** A model file, with a field that the reader does not know before its pieces and in each of them. */
function modelOf(pieces: readonly SentencePiece[]): Uint8Array {
  const model = new BinaryWriter().tag(2, WireType.LengthDelimited).string("trainer");
  for (const { text, score, kind } of pieces)
    model
      .tag(1, WireType.LengthDelimited)
      .fork()
      .tag(1, WireType.LengthDelimited)
      .string(text)
      .tag(9, WireType.Bit64)
      .double(1)
      .tag(2, WireType.Bit32)
      .float(score)
      .tag(3, WireType.Varint)
      .int32(kind)
      .join();
  return model.finish();
}

const piece = fc
  .tuple(fc.string({ unit: "grapheme" }), fc.float({ noNaN: true }), fc.integer({ min: 1, max: 6 }))
  .map(([text, score, kind]) => ({ text, score, kind }));

test("what is written is read: text with a byte-order mark as well", () => {
  const marked = [{ text: "\uFEFF", score: -30, kind: 1 }];
  assert.deepEqual(readSentencePieceModel(modelOf(marked), "tokenizer.model"), marked);
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1 }), (pieces) => {
      assert.deepEqual(readSentencePieceModel(modelOf(pieces), "tokenizer.model"), pieces);
    }),
  );
});

test("a file cut short within a field is refused by name", () => {
  const whole = modelOf([{ text: "word", score: -1, kind: 1 }]);
  for (const length of [1, whole.length - 9, whole.length - 1])
    assert.throws(
      () => readSentencePieceModel(whole.subarray(0, length), "a/tokenizer.model"),
      (error) => error instanceof LlavaError && /^a\/tokenizer\.model is not a Sent/.test(error.message),
    );
});
