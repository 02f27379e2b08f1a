// Shapes without libtorch: npm test -- src/torch/meta-tensor.test.ts
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { aten, liveTensors, metaTensor, ones } from "./index.ts";

test("a shape is computed with as libtorch's own meta tensors are", () => {
  const before = liveTensors();
  using shape = metaTensor([2, 3]);
  assert.deepEqual([shape.shape, shape.elements, shape.device, shape.dtype], [[2, 3], 6, "meta", "float32"]);
  assert.equal(liveTensors(), before);
  using product = aten.mul(shape, ones([1, 3], { device: "meta" }));
  assert.deepEqual([product.shape, product.device], [[2, 3], "meta"]);
  assert.equal(shape.requiresGrad_().requiresGrad, true);
  assert.equal(shape.disposed, false);
  shape.dispose();
  assert.equal(shape.disposed, true);
  assert.throws(() => aten.mul(shape, shape), /disposed/);
});

test("the addon is loaded by what needs it, and its absence told then", () => {
  const source = new URL("./index.ts", import.meta.url).href;
  const script = `const { metaTensor, ones } = await import(${JSON.stringify(source)});
    console.log(metaTensor([1 << 20, 1 << 20]).elements);
    try { ones([1]); } catch (error) { console.log(error.code, error.hint); }`;
  const env = { ...process.env, LLAVA_HOME: "/nowhere" };
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    env,
    encoding: "utf8",
  });
  assert.equal(stdout, `${2 ** 40}\nsetup Run: npx llava setup\n`);
});
