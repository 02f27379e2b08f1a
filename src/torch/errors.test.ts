import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { aten, Generator, longTensor, ones, scope, type Tensor, TorchError, tensor, zeros } from "./index.ts";

const refused = (body: () => unknown, pattern: RegExp): TorchError => {
  let caught: unknown;
  try {
    body();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof TorchError, `expected a TorchError, got ${caught}`);
  assert.match(caught.message, pattern);
  assert.doesNotMatch(caught.message, /frame #|Exception raised|\.so/);
  return caught;
};

test("an error names the operator, the reason, and its arguments' dtypes and shapes", () => {
  const error = refused(
    () => ones([2, 3]).matmul(ones([4, 5])),
    /shapes cannot be multiplied \(2x3 and 4x5\)/,
  );
  assert.match(error.message, /\(float32 \[2, 3\], float32 \[4, 5\]\)$/);
  assert.equal(error.operator, "aten::matmul");
  assert.equal(error.code, "torch");
  refused(() => aten.cat([ones([1, 2]), ones([1, 3])], 0), /\[float32 \[1, 2\], float32 \[1, 3\]\], 0/);
  refused(() => ones([2]).add(longTensor([1, 2, 3])), /float32 \[2\], int64 \[3\]/);
});

test("a disposed tensor is refused wherever it goes", () => {
  const gone = ones([2]);
  gone.dispose();
  gone.dispose();
  assert.equal(gone.disposed, true);
  const alive = ones([2]);
  for (const use of [
    () => gone.add(1),
    () => alive.add(gone),
    () => aten.cat([alive, gone]),
    () => gone.toNumbers(),
    () => gone.item(),
    () => gone.device,
    () => gone.requiresGrad_(),
    () => gone.backward(),
    () => {
      alive.grad = gone;
    },
  ])
    refused(use, /used after it was disposed/);
  const known = ones([2]);
  void known.shape;
  known.dispose();
  refused(() => known.reshape([2]), /disposed tensor/);
});

test("arguments of a wrong kind are refused by name", () => {
  const wrong = <T>(value: unknown): T => value as T;
  refused(() => aten.neg(wrong(undefined)), /expected a tensor/);
  refused(() => aten.neg(wrong({})), /expected a tensor/);
  refused(() => aten.add(ones([1]), wrong(3)), /expected a tensor/);
  refused(() => aten.linear(ones([1]), ones([1, 1]), wrong("bias")), /expected a tensor/);
  refused(() => ones([2, 2]).transpose(0.5, 1), /"dim0": expected a whole number/);
  refused(() => ones([2, 2]).transpose(Number.NaN, 1), /"dim0": expected a whole number/);
  refused(() => ones([2, 2]).reshape([Infinity]), /"shape": expected a whole number/);
  refused(() => ones([2, 2]).reshape(wrong("4")), /"shape": expected an array/);
  refused(() => ones([2, 2]).transpose(wrong("0"), 1), /"dim0": expected a whole number/);
  refused(() => aten.gelu(ones([1]), wrong(1)), /"approximate": expected a string/);
  refused(() => aten.topk(ones([1]), 1, 0, wrong("yes")), /"largest": expected a boolean/);
  refused(() => aten.reshape(ones([1]), wrong(undefined)), /"shape" is missing/);
  refused(() => aten.toDtype(ones([1]), wrong("float99")), /no dtype "float99"/);
  refused(() => ones([1], { dtype: wrong("toString") }), /no dtype "toString"/);
  refused(() => ones([1], { device: "abacus" }), /abacus/);
  refused(() => wrong<(...args: unknown[]) => Tensor>(aten.cat)([ones([1])], 0, 1, 2), /at most 2 arguments/);
  refused(
    () => wrong<(...args: unknown[]) => Tensor>(aten.cat)([ones([1])], ...Array(40).fill(0)),
    /too many/,
  );
  refused(() => tensor([1, 2], { shape: [3] }), /holds 8 bytes, the shape needs 12/);
  refused(() => tensor([], { shape: [2 ** 32, 2 ** 32] }), /no tensor can have this shape/);
  refused(() => tensor([1, 2], { shape: [-1, -2] }), /no tensor can have this shape/);
  refused(() => zeros([1e15]), /can't allocate memory/);
  refused(() => zeros([2 ** 40, 2 ** 40]), /overflow/i);
  refused(() => new Generator(0.5), /whole number/);
});

test("gradients of another shape, dtype or the tensor itself are refused", () => {
  const leaf = ones([2]).requiresGrad_();
  const assign = (value: Tensor) => () => {
    leaf.grad = value;
  };
  refused(assign(ones([3])), /the gradient is Float \[3\].* the tensor Float \[2\]/);
  refused(assign(ones([2], { dtype: "float64" })), /the gradient is Double/);
  refused(assign(leaf), /its own gradient/);
  refused(() => longTensor([1]).requiresGrad_(), /floating point/);
});

test("an array whose elements throw does not bring the process down", () => {
  const trap = Object.defineProperty([1, 2], 0, {
    get() {
      throw new RangeError("trap");
    },
  });
  assert.throws(() => ones([2]).reshape(trap), /trap/);
});

// Each operator is called with strange values in each place, which must end in a result or an error, never a crash.
const FUZZ = `
  import { aten, Generator, longTensor, ones, scope, setNumThreads } from "${new URL("./index.ts", import.meta.url)}";
  import { parseSchema } from "${new URL("./operator.ts", import.meta.url)}";
  import { schemas } from "${new URL("./operators.ts", import.meta.url)}";
  import { writeSync } from "node:fs";
  setNumThreads(1);
  const generator = new Generator(1);
  const strange = () => [undefined, null, "x", "", NaN, Infinity, 1.5, -1, -7, 0, 3, 99, 2 ** 31, 2 ** 53, 2 ** 63,
    true, [], [0], [-1], [1, -9], [2 ** 52], ["x"], [undefined], {}, () => 1, 10n, Symbol("s"),
    ones([2, 2]), ones([0]), ones([]), longTensor([5, -5]), [ones([2, 2]), ones([3])], ones([2, 2], { device: "meta" })];
  const usual = (type) => ({ Tensor: () => ones([2, 2]), "Tensor[]": () => [ones([2, 2])], int: () => 1, "int[]": () => [1, 1],
    float: () => 0.5, Scalar: () => 1, bool: () => false, DType: () => "float32", Generator: () => generator })[type.replace(/\\?$/, "")]?.();
  let calls = 0;
  for (const [name, text] of Object.entries(schemas)) {
    const { parameters } = parseSchema(text);
    for (let place = 0; place < parameters.length; place++)
      for (let i = 0; i < strange().length; i++)
        scope(() => {
          const values = parameters.map(({ type }) => usual(type));
          values[place] = strange()[i];
          calls++;
          writeSync(2, name + " " + place + " " + i + "\\n");
          try {
            aten[name](...values);
          } catch (error) {
            if (error.name !== "TorchError") throw error;
          }
        });
  }
  console.log(calls);
`;

test("no argument of any operator can crash the process", () => {
  const folder = mkdtempSync(join(tmpdir(), "llava-operators-"));
  const log = join(folder, "calls"); // a file, as a full pipe would refuse lines
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", FUZZ], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", openSync(log, "w")],
  });
  const last = readFileSync(log, "utf8").trimEnd().split("\n").slice(-8).join("\n");
  rmSync(folder, { recursive: true });
  assert.equal(child.status, 0, `${child.signal ?? child.status} after: ${last}`);
  assert.ok(Number(child.stdout) > 5000, child.stdout);
});

test("an error leaves nothing behind in a scope", () => {
  scope(() => {
    const good = ones([2]);
    refused(() => good.add(ones([3])), /size of tensor/);
    assert.deepEqual(good.add(1).toNumbers(), [2, 2]);
  });
});
