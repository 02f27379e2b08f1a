import assert from "node:assert/strict";
import { test } from "node:test";
import { pythonText } from "./text.ts";

test("values of JSON read as Python prints them", () => {
  for (const [value, text] of [
    ["as it is", "as it is"],
    [3, "3"],
    [0.5, "0.5"],
    [null, "None"],
    [true, "True"],
    [[2001, 2002.5], "[2001, 2002.5]"],
    [["a", "it's", "both ' and \""], `['a', "it's", 'both \\' and "']`],
    [{ a: ["\n"] }, "{'a': ['\\n']}"],
  ] as const)
    assert.equal(pythonText(value), text);
});
