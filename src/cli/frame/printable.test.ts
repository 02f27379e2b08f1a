import assert from "node:assert/strict";
import { test } from "node:test";
import { printable, shownOn } from "./printable.ts";

test("control characters do not reach a terminal, other characters do", () => {
  const said = "a\x1b[2J\tb\r\n\x9b31m\x07c\x00\x7f — ü 🐕\u00a0.";
  assert.equal(printable(said), "a[2J\tb\n31mc — ü 🐕\u00a0.");
  assert.equal(shownOn({ isTTY: true }, said), printable(said));
  assert.equal(shownOn({}, said), said);
});
