import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AskedIds } from "./asked-ids.ts";

test("whatever the order, ids find their answers and none passes twice", () => {
  const ids = fc.uniqueArray(fc.nat(12).map(String));
  const questions = fc.array(fc.nat(12).map(String), { maxLength: 20 });
  fc.assert(
    // Some questions in the order of the answers come first, so that order is left after them.
    fc.property(ids, fc.nat(12), questions, (answered, leading, others) => {
      const texts = new Map(answered.map((id) => [id, `answer ${id}`]));
      const asked = new AskedIds(texts);
      const seen = new Set<string>();
      for (const id of [...answered.slice(0, leading), ...others]) {
        assert.deepEqual(asked.take(id), seen.has(id) ? "twice" : { text: texts.get(id) });
        seen.add(id);
      }
      for (const id of [...answered, ...others, "13"]) assert.equal(asked.has(id), seen.has(id));
    }),
  );
});
