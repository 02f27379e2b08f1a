import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { readAnswers } from "../../answers/index.ts";
import { jsonLines } from "../example-files.ts";
import writeExample from "./example.ts";
import textvqa from "./index.ts";

test("LLaVA's answers find their question by image and prompt, whatever line it stands on", async () => {
  const folder = temporaryFolder("llava-textvqa");
  await writeExample(folder);
  const path = join(folder, "answers.jsonl");
  const ask = "Answer the question using a single word or phrase.";
  const rows = [
    { question_id: "0a1b", prompt: `Which year?\nReference OCR token: ACME, 1999\n${ask}`, text: "1999" },
    { question_id: "0a1b", prompt: `What brand is the camera?\n${ask}`, text: "The Acme." },
    { question_id: "2c3d", prompt: `Reference OCR token: \nWhat is written here?\n${ask}`, text: "acme" },
  ];
  await writeFile(path, jsonLines(rows));
  const { texts: answers } = await readAnswers(textvqa, path);
  const credits = [];
  for await (const item of textvqa.load({ data: folder }))
    credits.push(textvqa.outcome(item, answers.get(item.id)!).credit);
  assert.deepEqual(credits, [1, 0, 1]);
  await writeFile(path, jsonLines([{ question_id: 1, answer: "x" }]));
  assert.deepEqual([...(await readAnswers(textvqa, path)).texts], [["1", "x"]]);
});
