import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSafetensors } from "./safetensors.ts";
import { openWeights } from "./weights-file.ts";

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../test/fixtures/checkpoint/${name}`, import.meta.url));

for (const name of ["foreign.safetensors", "foreign.pt"])
  describe(name, () => {
    test("8-bit floating point is widened to torch's values", () => {
      using expected = openSafetensors(fixture("foreign-widened.safetensors"));
      using source = openWeights(fixture(name));
      for (const [tensor, type] of [
        ["e4m3", "F8_E4M3"],
        ["e5m2", "F8_E5M2"],
      ] as const) {
        assert.deepEqual(source.info(tensor), { dtype: type, shape: [16, 16] });
        const values = source.read(tensor);
        assert.equal(values.dtype, "float32");
        assert.deepEqual(values.toNumbers(), expected.read(tensor).toNumbers());
        assert.deepEqual(source.read(tensor, "bfloat16").to("float32").toNumbers(), values.toNumbers());
        if (source.has(`${tensor}.transposed`))
          assert.deepEqual(
            source.read(`${tensor}.transposed`).toNumbers(),
            values.transpose(0, 1).contiguous().toNumbers(),
          );
      }
    });

    test("other types are refused when they are read, and only then", () => {
      using source = openWeights(fixture(name));
      for (const [tensor, type] of [
        ["u16", "U16"],
        ["u32", "U32"],
        ["u64", "U64"],
        ["c64", "C64"],
      ] as const) {
        if (!source.has(tensor)) continue;
        assert.equal(source.info(tensor).dtype, type);
        assert.throws(() => source.read(tensor), {
          name: "LlavaError",
          code: "checkpoint",
          message: `${source.where}: ${tensor} is stored as ${type}, which is not read`,
          hint: /Convert the checkpoint to float32/,
        });
      }
    });
  });
