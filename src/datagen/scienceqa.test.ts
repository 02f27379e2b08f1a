// Problems as training rows: npm test -- src/datagen/scienceqa.test.ts
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { llavaHere } from "../../test/support/cli.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { scienceQaRows } from "./scienceqa.ts";

const data = temporaryFolder("llava-scienceqa-rows");
const common = { lecture: "Maps show places.", solution: "", hint: "", image: null, grade: "grade6" };
const natural = { ...common, subject: "natural science" };
const problems = {
  "1": {
    ...common,
    question: "Which of these is farthest north?",
    choices: ["Oslo", "Rome"],
    answer: 0,
    image: "image.png",
    subject: "social science",
  },
  "2": {
    ...natural,
    question: "Which is the better estimate?",
    choices: ["10 g", "10 kg", "10 t"],
    answer: 1,
    hint: "A bag  of rice.",
  },
  "3": { ...natural, question: "Is this a noun?\nrun", choices: ["yes", "no"], answer: 1 },
  "4": {
    ...natural,
    question: "What is shown?",
    choices: ["a fern", "a moss"],
    answer: 0,
    image: "image.png",
  },
};
before(() => {
  writeFileSync(join(data, "problems.json"), JSON.stringify(problems));
  writeFileSync(join(data, "pid_splits.json"), JSON.stringify({ test: ["1", "2"], val: ["3", "4"] }));
});

test("rows have LLaVA's form: the question without its name, the image behind it, the reasons before the answer", async () => {
  assert.deepEqual(await scienceQaRows(data, { split: "test", form: "QCM-LEA" }), [
    {
      id: "1",
      image: join("1", "image.png"),
      conversations: [
        {
          from: "human",
          value: "Which of these is farthest north?\nContext: N/A\nOptions: (A) Oslo (B) Rome\n<image>",
        },
        { from: "gpt", value: "Maps show places. The answer is A." },
      ],
    },
    {
      id: "2",
      conversations: [
        {
          from: "human",
          value:
            "Which is the better estimate?\nContext: A bag of rice.\nOptions: (A) 10 g (B) 10 kg (C) 10 t",
        },
        { from: "gpt", value: "Maps show places. The answer is B." },
      ],
    },
  ]);
});

test("a form that shows the context first keeps the question's name", async () => {
  const [row] = await scienceQaRows(data, { split: "test", form: "CQM-A" });
  assert.equal(
    row!.conversations[0]!.value,
    "Context: N/A\nQuestion: Which of these is farthest north?\nOptions: (A) Oslo (B) Rome\n<image>",
  );
  assert.equal(row!.conversations[1]!.value, "The answer is A.");
});

test("llava data scienceqa writes them", async () => {
  const out = join(data, "rows.json");
  const { status, stderr } = await llavaHere([
    ...["data", "scienceqa", "--data", data, "--split", "val", "--out", out],
  ]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /rows\.json: 2 rows, 1 of them with an image/);
  const written = JSON.parse(readFileSync(out, "utf8"));
  assert.deepEqual(written, await scienceQaRows(data, { split: "val", form: "QCM-LEA" }));
  const refused = await llavaHere(["data", "scienceqa", "--data", data, "--split", "tset", "--out", out]);
  assert.match(refused.stderr, /has no split "tset"; there are test, val/);
});
