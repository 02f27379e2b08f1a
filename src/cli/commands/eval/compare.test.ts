import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { llava } from "../../../../test/support/cli.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";

const folder = temporaryFolder("llava-compare");
const path = (name: string): string => join(folder, name);

before(async () => {
  await mkdir(path("images"));
  const rows = ["red", "green", "blue"].map((answer, index) => ({
    question_id: `q${index}`,
    image: `${index}.png`,
    text: `Which colour is square ${index}?`,
    answer,
  }));
  await writeFile(path("questions.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  for (const [name, texts] of Object.entries({ a: ["red", "red", "red"], b: ["green", "red", "blue"] })) {
    const answers = texts.map((text, index) => `${JSON.stringify({ question_id: `q${index}`, text })}\n`);
    await writeFile(path(`${name}.jsonl`), answers.join(""));
    const files = ["--predictions", path(`${name}.jsonl`), "--data", folder, "--out", path(`${name}.json`)];
    const { status, stderr } = await llava(["eval", "score", "questions", ...files]);
    assert.equal(status, 0, stderr);
  }
});

test("flips are listed with their line in the second's outcomes, image and question", async () => {
  const { status, stdout, stderr } = await llava(["eval", "compare", path("a.json"), path("b.json")]);
  assert.equal(status, 0, stderr);
  const lines = stdout.split("\n").map((line) => line.trim());
  for (const [id, change, index] of [
    ["q2", "0 → 1", 2],
    ["q0", "1 → 0", 0],
  ] as const) {
    const at = lines.indexOf(`${id}: ${change}  ${path("b.outcomes.jsonl")}:${index + 1}`);
    assert.ok(at > 0, stdout);
    assert.ok(lines[at + 1]!.startsWith(`${path(`images/${index}.png`)}  Which colour is square ${index}?`));
  }
  const outcomes = (await readFile(path("b.outcomes.jsonl"), "utf8")).trim().split("\n");
  assert.equal(JSON.parse(outcomes[2]!).id, "q2");
});

test("as JSON, with counts beside the flips that are listed", async () => {
  const options = ["--json", "--limit", "0"];
  const { stdout } = await llava(["eval", "compare", path("a.json"), path("b.json"), ...options]);
  const { counts, gained, difference, mcnemar } = JSON.parse(stdout);
  assert.deepEqual([counts, gained, difference, mcnemar], [{ gained: 1, lost: 1 }, [], 0, 1]);
});
