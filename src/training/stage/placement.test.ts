// What a recipe computes in: npm test -- src/training/stage
import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsRecipe } from "../../../test/support/training-rows.ts";
import { fastDType } from "../../torch/index.ts";
import { computing, settled } from "./placement.ts";

const other = { float32: "bfloat16", bfloat16: "float32" } as const;

test("a recipe that does not say what it computes in takes what its device is fastest in, by name", () => {
  const auto = rowsRecipe("unused", { dtype: "auto" });
  assert.deepEqual(computing(auto), fastDType());
  assert.equal(settled(auto).dtype, fastDType().dtype);
  assert.equal(computing({ ...auto, device: "cuda" }).dtype, "bfloat16");
});

test("a type that the recipe says stays, whatever a run began with", () => {
  for (const dtype of ["float32", "bfloat16"] as const)
    assert.equal(computing(rowsRecipe("unused", { dtype }), { dtype: other[dtype] }).dtype, dtype);
});

test("a run goes on in the type that it began with, and says where a new one would take another", () => {
  const auto = rowsRecipe("unused", { dtype: "auto" });
  const { dtype } = fastDType();
  assert.deepEqual(computing(auto, { dtype }), fastDType());
  const { dtype: kept, reason } = computing(auto, { dtype: other[dtype] });
  assert.equal(kept, other[dtype]);
  assert.match(reason, new RegExp(`began with it; a new one would take ${dtype}: this processor`));
});
