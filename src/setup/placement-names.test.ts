import assert from "node:assert/strict";
import { test } from "node:test";
import { weightType } from "./placement-names.ts";

test("types go by the names of all libraries; any other name is refused with the right ones", () => {
  const names = ["float32", "fp32", "torch.bfloat16", "BF16", "half", "fp16"];
  assert.deepEqual(
    names.map((name) => weightType(name)),
    ["float32", "float32", "bfloat16", "bfloat16", "float16", "float16"],
  );
  for (const name of ["int8", "", "constructor", "float64"])
    assert.throws(() => weightType(name), { code: "usage", message: /float32, bfloat16, float16/ });
});
