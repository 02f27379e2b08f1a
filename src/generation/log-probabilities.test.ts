import assert from "node:assert/strict";
import { test } from "node:test";
import { tellToken } from "./log-probabilities.ts";

test("log probabilities are those of the logits' softmax, the likeliest first and the lower id among equals", () => {
  const logits = Float32Array.of(0, 2, 1, 2, -1);
  const total = Math.log([...logits].reduce((sum, value) => sum + Math.exp(value), 0));
  const { id, logprob, top } = tellToken(logits, 2, 3);
  assert.equal(id, 2);
  assert.ok(Math.abs(logprob - (1 - total)) < 1e-12);
  assert.deepEqual(
    top.map((other) => other.id),
    [1, 3, 2],
  );
  assert.equal(top[2]!.logprob, logprob);
  assert.deepEqual(tellToken(logits, 0, 0).top, []);
  assert.equal(tellToken(logits, 0, 20).top.length, 5);
});
