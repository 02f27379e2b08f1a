import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../../errors.ts";
import { silentProgress } from "../../../setup/index.ts";
import { createContext } from "../../frame/context.ts";
import { runSuite } from "./suite.ts";

const folder = temporaryFolder("suite");

// By hand: credits of first.jsonl are 0.9·1 + 0.1·1 = 1, 1, 0.6, 0.6, 1 and 1, of 6 questions.
const entry = {
  title: "made-up answers",
  benchmark: "vqav2",
  predictions: "vqa/fir*.jsonl",
  data: "vqa",
  expected: { accuracy: 86.67 },
  digits: 2,
  source: "by hand",
  recomputed: true,
};

async function run(context: TestContext, ...entries: object[]): Promise<{ text: string; error: unknown }> {
  const path = join(folder, "suite.json");
  writeFileSync(path, JSON.stringify({ entries }));
  const log = context.mock.method(console, "log", () => {});
  const error = await runSuite(
    path,
    [folder, "examples"],
    false,
    createContext(silentProgress, () => {}),
  ).catch((thrown: unknown) => thrown);
  return { text: String(log.mock.calls[0]?.arguments[0] ?? ""), error };
}

describe("suites of predictions", () => {
  test("equal scores are marked so, in the units of the source", async (context) => {
    const share = { ...entry, title: "as shares", expected: { accuracy: 0.867 }, digits: 3, scale: 0.01 };
    const { text, error } = await run(context, entry, share);
    assert.equal(error, undefined);
    assert.match(text, /made-up answers +accuracy +86\.67 +86\.67 +=/);
    assert.match(text, /as shares +accuracy +0\.867 +0\.867 +=/);
    assert.match(text, /2 of 2 recomputed scores are equal/);
  });

  test("a recomputed score that differs is an error; another one was tried", async (context) => {
    const wrong = { ...entry, expected: { accuracy: 86.68 } };
    const { text, error } = await run(
      context,
      { ...wrong, recomputed: false },
      { ...entry, benchmark: "none" },
    );
    assert.match(text, /86\.68 +86\.67 +tried/);
    assert.match(text, /– +≠ +no benchmark none/);
    assert.ok(error instanceof LlavaError && /1 of 2 scores differ/.test(error.message));
    const { error: tried } = await run(context, { ...wrong, recomputed: false });
    assert.equal(tried, undefined);
  });

  test("a manifest of another shape is refused with what does not fit", async (context) => {
    const { error } = await run(context, { ...entry, digits: "2" });
    assert.ok(
      error instanceof LlavaError && /suite\.json: entries\.0\.digits/.test(error.message),
      String(error),
    );
  });
});
