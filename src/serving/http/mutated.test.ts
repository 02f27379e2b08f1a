import assert from "node:assert/strict";
import { test } from "node:test";
import { openServer } from "../../../test/support/ask-server.ts";
import { leakIn, sendMutated } from "../../../test/support/mutated-bodies.ts";

test("mutated bodies get answers or errors of the one shape, which tell nothing", async () => {
  const { url, lines, model } = await openServer({ keys: ["the-key"], isLegacy: true });
  const wrong = await sendMutated(url, { count: 600, seed: 7, headers: { authorization: "Bearer the-key" } });
  assert.deepEqual(wrong, []);
  for (const line of lines) assert.equal(leakIn(line), undefined, line);
  assert.equal(model.state().running, 0);
});
