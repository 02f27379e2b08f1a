import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { LlavaError } from "../errors.ts";
import { unpickle } from "./pickle.ts";
import { openSafetensors } from "./safetensors.ts";
import { openTorchFile } from "./torch-file.ts";
import { writeTorchFile } from "./write-torch-file.ts";

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../test/fixtures/checkpoint/${name}`, import.meta.url));
const folder = temporaryFolder("torch-file");

function opened(bytes: Uint8Array) {
  const path = join(folder, "changed.pt");
  writeFileSync(path, bytes);
  return openTorchFile(path);
}

describe("state dicts written by torch.save", () => {
  for (const name of ["state.pth", "nested.pt", "legacy.bin"]) {
    test(`${name} holds what torch put in`, () => {
      using expected = openSafetensors(fixture("state.safetensors"));
      using actual = openTorchFile(fixture(name));
      assert.deepEqual([...actual.names()].sort(), [...expected.names()].sort());
      for (const tensor of expected.names()) {
        assert.deepEqual(actual.info(tensor), expected.info(tensor), tensor);
        const values = actual.read(tensor);
        assert.deepEqual(values.shape, expected.info(tensor).shape);
        assert.deepEqual(values.toBytes(), expected.read(tensor).toBytes(), tensor);
      }
    });
  }

  test("are written so that they are read back", () => {
    using expected = openSafetensors(fixture("state.safetensors"));
    const tensors = new Map([...expected.names()].map((name) => [name, expected.read(name)]));
    const path = join(folder, "written.bin");
    writeTorchFile(path, tensors);
    using actual = openTorchFile(path);
    assert.deepEqual([...actual.names()], [...tensors.keys()]);
    for (const [name, tensor] of tensors) {
      assert.deepEqual(actual.info(name), expected.info(name));
      assert.deepEqual(actual.read(name).toBytes(), tensor.toBytes(), name);
    }
  });

  test("tensors outlive their source and convert on request", () => {
    const source = openTorchFile(fixture("state.pth"));
    const row = source.read("transposed", "float64");
    source[Symbol.dispose]();
    assert.equal(row.dtype, "float64");
    assert.deepEqual(row.shape, [6, 4]);
  });

  test("a pickle that wants to run code is refused", () => {
    assert.throws(
      () => openTorchFile(fixture("malicious.pt")),
      (error) =>
        error instanceof LlavaError &&
        error.code === "checkpoint" &&
        /malicious\.pt: the pickle asks for \w+\.system; only tensors and plain containers/.test(
          error.message,
        ),
    );
  });

  for (const name of ["state.pth", "legacy.bin"]) {
    test(`${name} cut anywhere is a LlavaError, never a crash`, () => {
      const whole = readFileSync(fixture(name));
      fc.assert(
        fc.property(fc.integer({ min: 0, max: whole.byteLength - 1 }), (length) => {
          assert.throws(() => opened(whole.subarray(0, length)), { name: "LlavaError" });
        }),
        { numRuns: 200, seed: 1 },
      );
    });

    test(`${name} with any byte changed opens or is a LlavaError`, () => {
      const whole = readFileSync(fixture(name));
      fc.assert(
        fc.property(fc.nat(whole.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
          const changed = Uint8Array.from(whole);
          changed[at]! ^= flip;
          try {
            const source = opened(changed);
            for (const tensor of source.names()) source.read(tensor).toBytes();
          } catch (error) {
            assert.ok(error instanceof LlavaError, String((error as Error).stack));
          }
        }),
        { numRuns: 400, seed: 2 },
      );
    });
  }

  test("a dict without tensors is no state dict", () => {
    const nested = readFileSync(fixture("nested.pt"));
    const renamed = Buffer.from(nested.toString("latin1").replace("state_dict", "other_dict"), "latin1");
    assert.throws(() => opened(renamed), /holds no state dict/);
  });
});

describe("unpickle", () => {
  const options = { where: "x.pkl", globals: new Map(), persistent: (id: unknown) => id };
  const read = (...bytes: (number | string)[]) =>
    unpickle(
      Buffer.concat(bytes.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.of(part)))),
      0,
      options,
    ).value;

  test("plain values", () => {
    assert.deepEqual(
      read(0x80, 2, "}(K", 1, "X", 2, 0, 0, 0, "hi", "K", 2, "]K", 3, "a", "u."),
      new Map<unknown, unknown>([
        [1, "hi"],
        [2, [3]],
      ]),
    );
    assert.equal(read(0x8a, 1, 0xff, "."), -1);
    assert.equal(read(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, "."), 1n << 64n);
    assert.equal(read(0x8a, 0, "."), 0);
    assert.equal(read("G", 0xbf, 0xf8, 0, 0, 0, 0, 0, 0, "."), -1.5);
    assert.deepEqual(read(0x88, 0x89, "N", 0x87, "."), [true, false, undefined]);
  });

  test("deep nesting costs no recursion", () => {
    const depth = 200_000;
    let value = read("]".repeat(depth + 1), "a".repeat(depth), ".") as unknown[];
    let levels = 0;
    while (value.length > 0) {
      value = value[0] as unknown[];
      levels++;
    }
    assert.equal(levels, depth);
  });

  test("a length beyond the input allocates nothing", () => {
    assert.throws(() => read("X", 0xff, 0xff, 0xff, 0xff, "a"), /cut short: 4294967295 bytes wanted/);
    assert.throws(() => read(0x8b, 0xff, 0xff, 0xff, 0x7f), /an integer of 2147483647 bytes/);
  });

  test("imports are refused by name", () => {
    assert.throws(() => read("cos\nsystem\n."), /asks for os\.system/);
    assert.throws(() => read("X", 2, 0, 0, 0, "os", "X", 4, 0, 0, 0, "exec", 0x93, "."), /asks for os\.exec/);
    assert.throws(() => read("ibuiltins\neval\n."), /opcode 0x69/);
  });
});
