import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyVision } from "../../../test/support/random-model.ts";
import { ClipVisionTower } from "./model.ts";

test("vision layers above the ones in use are unused, and only those", () => {
  const tower = new ClipVisionTower(
    { ...tinyVision, numLayers: 12 },
    { featureLayers: [2], selectStrategy: "patch" },
  );
  const unused = (name: string) => tower.unused.some((pattern) => pattern.test(name));
  assert.ok(!unused("encoder.layers.1.mlp.fc1.bias"));
  assert.ok(unused("encoder.layers.2.mlp.fc1.bias"));
  assert.ok(unused("encoder.layers.10.mlp.fc1.bias"));
  assert.ok(unused("post_layernorm.bias"));
  for (const name of tower.namedParameters().keys()) assert.ok(!unused(name), name);
});
