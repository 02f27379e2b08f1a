import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import wabt from "wabt";
import { pattern } from "../../../test/fixtures/image/pattern.ts";
import { resize } from "./resample.ts";

const here = (name: string) => readFileSync(new URL(name, import.meta.url));

test("resample.wasm is assembled from resample.wat", async () => {
  const assembler = await wabt();
  const module = assembler.parseWat("resample.wat", here("resample.wat").toString(), { simd: true });
  const assembled = Buffer.from(module.toBinary({}).buffer);
  assert.ok(assembled.equals(here("resample.wasm")), "run the command at the top of resample.wat");
});

// Before memory has grown for others.
test("a narrow image's last rows are read no further than its end", () => {
  const image = { width: 300, height: 4000, data: new Uint8Array(300 * 4000 * 3).fill(77) };
  for (const filter of ["bicubic", "lanczos"] as const) {
    const { data } = resize(image, 28, 28, filter);
    assert.ok(
      data.every((value) => value === 77),
      filter,
    );
  }
});

test("memory grown for one image leaves the next ones right", () => {
  const small = pattern(50, 40);
  const before = resize(small, 28, 22, "bicubic");
  const huge = resize({ width: 6000, height: 4000, data: new Uint8Array(72e6).fill(77) }, 30, 20, "bicubic");
  assert.ok(huge.data.every((value) => value === 77));
  assert.deepEqual(resize(small, 28, 22, "bicubic"), before);
});
