import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import { flattenPrompt } from "../../prompting/index.ts";
import ai2d from "./index.ts";

test("questions with options and suffix written out are asked as they stand, and scored by letter or text", async () => {
  const data = temporaryFolder("llava-ai2d");
  const question =
    "Which stage?\nLook.\nA. Root\nB. Stem\nAnswer with the option's letter from the given choices directly.";
  const row = { question_id: "7.png-0", image: "abc_images/7.png", question, answer: "B" };
  await writeFile(join(data, "test.jsonl"), `${JSON.stringify(row)}\n`);
  const items: BenchmarkItem[] = [];
  for await (const item of ai2d.load({ data })) items.push(item);
  const { text, images } = flattenPrompt(ai2d.prompt(items[0]!));
  assert.deepEqual([text, images], [`<image>${question}`, [join(data, "abc_images/7.png")]]);
  const credits = ["B", "b)", "stem", "B. Root", "A", "Stem and root", ""].map(
    (answer) => ai2d.outcome(items[0]!, answer).credit,
  );
  assert.deepEqual(credits, [1, 1, 1, 1, 0, 0, 0]);
  assert.equal(ai2d.outcome(items[0]!, "").truth, "B. Stem");
});
