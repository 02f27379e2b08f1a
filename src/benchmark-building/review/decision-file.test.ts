import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { DecisionFile } from "./decision-file.ts";

const folder = temporaryFolder("llava-decisions");
const path = join(folder, "decisions.jsonl");
const words = { question: "What is it?", reference: "A ball." };
const decision = {
  id: "q0",
  reviewer: "anna",
  decision: "keep",
  before: words,
  at: "2026-01-01T00:00:00.000Z",
};

test("what a kill cut short is cut off, and a line that is no decision is named", () => {
  writeFileSync(path, `${JSON.stringify(decision)}\n{"id": "q1", "rev`);
  for (let time = 0; time < 2; time++) {
    using file = new DecisionFile(path);
    assert.deepEqual(
      file.decisions.map(({ id }) => id),
      ["q0"],
    );
  }
  writeFileSync(path, `${JSON.stringify(decision)}\n{"id": "q1", "rev\n${JSON.stringify(decision)}\n`);
  assert.throws(() => new DecisionFile(path), { code: "data", message: /decisions\.jsonl:2: / });
});
