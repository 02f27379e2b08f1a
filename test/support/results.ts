import assert from "node:assert/strict";
import { join } from "node:path";
import { openSafetensors } from "../../src/checkpoint/index.ts";

/** Trained values by their names. */
export function resultValues(result: string): Map<string, number[]> {
  const file = { adapter: "adapter_model.safetensors", model: "model.safetensors" }[
    result.split("/").at(-1)!
  ];
  using source = openSafetensors(file ? join(result, file) : result);
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
