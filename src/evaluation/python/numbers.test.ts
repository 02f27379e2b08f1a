import assert from "node:assert/strict";
import { test } from "node:test";
import { pythonFloat, pythonFloatText, pythonInteger } from "./numbers.ts";

test("float() of Python", () => {
  const numbers: [string, number][] = [
    [" 1.5\n", 1.5],
    ["1_000", 1000],
    ["1.", 1],
    [".5", 0.5],
    ["-1e3", -1000],
    ["+Infinity", Infinity],
    ["-inf", -Infinity],
    ["NaN", Number.NaN],
  ];
  for (const [text, value] of numbers) assert.equal(pythonFloat(text), value, text);
  for (const text of ["", " ", "1,000", "0x10", "1 2", "1__0", "_1", ".", "e5", "12%", "one", "infinit"])
    assert.equal(pythonFloat(text), undefined, text);
});

test("int() of Python takes no fraction", () => {
  assert.equal(pythonInteger(" +12 "), 12n);
  assert.equal(pythonInteger("-1_0"), -10n);
  for (const text of ["1.0", "", "1e3", "--1"]) assert.equal(pythonInteger(text), undefined, text);
});

test("str() of Python's floats", () => {
  const texts: [number, string][] = [
    [1, "1.0"],
    [-0, "-0.0"],
    [0.1, "0.1"],
    [1e-4, "0.0001"],
    [1e-5, "1e-05"],
    [1.5e-10, "1.5e-10"],
    [123456789, "123456789.0"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [2.5e22, "2.5e+22"],
    [Number.NaN, "nan"],
    [-Infinity, "-inf"],
  ];
  for (const [value, text] of texts) assert.equal(pythonFloatText(value), text);
});
