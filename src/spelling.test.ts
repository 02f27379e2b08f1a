import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { didYouMean, editDistance, nearNames, requireKnownKeys } from "./spelling.ts";

test("the distance is that of single letters", () => {
  assert.deepEqual(
    [editDistance("", "abc"), editDistance("kitten", "sitting"), editDistance("a", "a")],
    [3, 3, 0],
  );
});

test("distances count characters, not their halves", () => {
  assert.equal(editDistance("🙂a", "🙃a"), 1);
  assert.equal(editDistance("🙂", ""), 1);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (first, second) => {
      const found = editDistance(first, second);
      const [long, short] = [[...first].length, [...second].length];
      assert.equal(found, editDistance(second, first));
      assert.ok(found >= Math.abs(long - short) && found <= Math.max(long, short));
      assert.equal(found === 0, first === second);
    }),
  );
});

test("near are names with few other letters, other marks, or one the beginning of the other", () => {
  const names = ["images", "maxTokens", "llava-smol-135m", "system"];
  assert.deepEqual(nearNames("image", names), ["images"]);
  assert.deepEqual(nearNames("max_tokens", names), ["maxTokens"]);
  assert.deepEqual(nearNames("llava-smol", names), ["llava-smol-135m"]);
  assert.deepEqual(nearNames("sytsem", names), ["system"]);
  assert.deepEqual(nearNames("poep", ["mme", "pope"]), ["pope"]);
  assert.deepEqual(nearNames("temperature", names), []);
  assert.equal(didYouMean("temperature", names), "");
  assert.equal(didYouMean("imagse", names), '; did you mean "images"?');
});

test("a key that nobody reads is refused, naming what is known; null and undefined say nothing", () => {
  const known = ["id", "images"];
  requireKnownKeys({ id: 1, video: null, note: undefined }, { what: "a row", known });
  assert.throws(() => requireKnownKeys({ image: "a" }, { what: "a row", known, code: "data" }), {
    code: "data",
    message: 'a row: unknown key "image"; did you mean "images"?',
    hint: "Known are id, images.",
  });
  assert.throws(() => requireKnownKeys({ text: 1 }, { what: "a row", known, synonyms: { text: "prompt" } }), {
    message: 'a row: unknown key "text"; did you mean "prompt"?',
  });
});
