import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { openSafetensors } from "../../src/checkpoint/index.ts";

function openResult(result: string): ReturnType<typeof openSafetensors> {
  const file = { adapter: "adapter_model.safetensors", model: "model.safetensors" }[
    result.split("/").at(-1)!
  ];
  return openSafetensors(file ? join(result, file) : result);
}

/** SHA-256 of all names and values. */
export function resultHash(result: string): string {
  using source = openResult(result);
  const hash = createHash("sha256");
  for (const name of [...source.names()].sort()) hash.update(name).update(source.read(name).toBytes());
  return hash.digest("hex");
}

/** Trained values by their names. */
export function resultValues(result: string): Map<string, number[]> {
  using source = openResult(result);
  return new Map([...source.names()].map((name) => [name, source.read(name, "float32").toNumbers()]));
}

/** Relative to what is expected, number by number; what is no number where none is expected. */
export function assertNear(
  values: readonly number[],
  expected: readonly number[],
  within: number,
  what: string,
): void {
  assert.equal(values.length, expected.length, what);
  for (const [i, value] of values.entries())
    assert.ok(
      Object.is(value, expected[i]) || Math.abs(value / expected[i]! - 1) <= within,
      `${what}, step ${i + 1}: ${value}, expected ${expected[i]}`,
    );
}
