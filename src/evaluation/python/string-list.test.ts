import assert from "node:assert/strict";
import { test } from "node:test";
import { pythonStrings } from "./string-list.ts";

test("lists of strings as Python prints them", () => {
  assert.deepEqual(pythonStrings("['$6', \"it's\", 'a, b']"), ["$6", "it's", "a, b"]);
  assert.deepEqual(pythonStrings(String.raw`['\\frac{1}{2}', 'don\'t', 'é\xe9\u00e9', '\d']`), [
    "\\frac{1}{2}",
    "don't",
    "ééé",
    "\\d",
  ]);
  assert.deepEqual(pythonStrings("[]"), []);
  for (const text of ["", "['a'", "[1, 2]", "['a' 'b']", "['a]"])
    assert.equal(pythonStrings(text), undefined, text);
});
