import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { LlavaError } from "../../../errors.ts";
import { readAnswers } from "../../answers/index.ts";
import { score } from "../../scoring/index.ts";
import writeExample, { problems } from "./example.ts";
import { extractByRule, normalizeExtraction } from "./extraction.ts";
import mathVista from "./index.ts";
import { judge } from "./judge.ts";

const choices = { choices: ["AB", "BC", "it depends"], answerType: "text", precision: 0 } as const;
const integer = { choices: [], answerType: "integer", precision: 0 } as const;
const float = { choices: [], answerType: "float", precision: 2 } as const;
const list = { choices: [], answerType: "list", precision: 0 } as const;

describe("rules extract", () => {
  for (const [name, form, response, extraction] of [
    ["nothing from nothing", choices, "", ""],
    ["a choice", choices, "it depends", "it depends"],
    ["a letter", choices, "(C)", "C"],
    ["no letter beyond the choices", choices, "D", undefined],
    ["no letter in a sentence", choices, "B is longest", undefined],
    ["an integer as Python reads it", integer, " 1_000\n", "1000"],
    ["no float for an integer", integer, "3.0", undefined],
    ["a float", float, "38e-2", "0.38"],
    ["a quoted answer", integer, 'So. The answer is "12 ml".', "12 ml"],
    ["no unquoted answer", integer, "The answer is 12.", undefined],
  ] as const)
    test(name, () => assert.equal(extractByRule(response, form), extraction));
});

describe("extractions become", () => {
  for (const [name, form, extraction, answer] of [
    ["the choice of a letter", choices, " B ", "BC"],
    ["the choice of a letter in brackets, of either case", choices, "(c) BC", "it depends"],
    ["the nearest choice, the first of equally near ones", choices, "AC", "AB"],
    ["the nearest choice for a letter beyond the choices", choices, "(Z)", "AB"],
    ["a choice even for nothing", choices, "", "AB"],
    ["an integer cut off at the point", integer, "-2.9", "-2"],
    ["an integer with all its digits", integer, "1e21", "1000000000000000000000"],
    ["no integer", integer, "two", undefined],
    ["no integer of what is infinite", integer, "inf", undefined],
    ["a float rounded half to even", float, "0.375", "0.38"],
    ["a float with a place at least", float, "3", "3.0"],
    ["a float that is none", float, "nan", "nan"],
    ["a list as it is", list, "[1,2]", "[1,2]"],
  ] as const)
    test(name, () => assert.equal(normalizeExtraction(extraction, form), answer));
});

test("the judge's reply is the extraction, a hyphen is none", () => {
  const parse = (reply: string) => judge.parse(reply, {} as never);
  assert.deepEqual(parse(" Extracted answer: 12 \n"), { extraction: "12" });
  assert.deepEqual(parse("-"), { extraction: "" });
  assert.equal(parse("\n"), undefined);
});

let data = "";
before(async () => {
  data = await mkdtemp(join(tmpdir(), "mathvista-"));
  await writeExample(data);
});
after(() => rm(data, { recursive: true }));

async function scored(rows: object, split = "testmini", compat = false) {
  const path = join(data, "output.json");
  await writeFile(path, JSON.stringify(rows));
  const answers = await readAnswers(mathVista, path);
  const { result } = await score({
    benchmark: mathVista,
    load: { data, split, compat },
    answers,
    verdicts: answers.verdicts,
    model: "m",
    resamples: 0,
  });
  return result;
}

test("a file of predictions brings its extractions, which are scored by type, task and skill", async () => {
  const responses = ["About 250.5 ml.", "The longest is BC", "0.375", "from 2001 to 2002"];
  const extractions = ["250.5", "(B)", "0.375", "[2001, 2002]"];
  const rows = Object.values(problems).map((problem, index) => [
    problem.pid,
    { ...problem, response: responses[index], extraction: extractions[index] },
  ]);
  const { scores, counts } = await scored(Object.fromEntries(rows));
  // Also that to the third, which a rule could have read.
  assert.deepEqual([counts.judgeable, counts.judged], [4, 4]);
  const values = Object.fromEntries(scores.map(({ name, value, count }) => [name, [value, count]]));
  assert.deepEqual(values["accuracy"], [100, 4]);
  assert.deepEqual(values["accuracy/arithmetic reasoning"], [100, 2]);
  assert.deepEqual(values["accuracy/geometry problem solving"], [100, 1]);
  assert.deepEqual(values["accuracy/free_form"], [100, 3]);
  assert.equal(scores[0]!.name, "accuracy");
});

test("without an extraction, a response that no rule reads needs a judge", async () => {
  const rows = Object.entries(problems).map(([id]) => [id, { response: id === "4" ? "unsure" : "" }]);
  await assert.rejects(
    scored(Object.fromEntries(rows)),
    (error) => error instanceof LlavaError && /1 of 4 answers need a verdict .* "4"/.test(error.message),
  );
});

test("the test split, whose answers are not public, is not scored", async () => {
  await assert.rejects(
    scored({ 1001: { response: "B" } }, "test"),
    (error) => error instanceof LlavaError && /"1001" has no right answer/.test(error.message),
  );
});

describe("what a file stores beside a response", () => {
  // A rule would read the responses to 2 and 3 otherwise.
  const rows = {
    "1": { response: 250, extraction: 250, true_false: true },
    "2": { response: "A", extraction: "B", prediction: "BC", true_false: true },
    "3": { response: "0.38", extraction: "0.4", prediction: "0.4", true_false: true },
    "4": { response: "", extraction: [2001, 2002], true_false: true },
  };

  test("the extraction counts, of any type, also where a rule could read the response", async () => {
    const { scores, counts } = await scored(rows);
    assert.deepEqual([scores[0]!.value, counts.judged], [75, 4]);
  });

  test("true_false counts with compat; both say how often it is not what the extraction gives", async () => {
    const { scores } = await scored(rows, "testmini", true);
    assert.equal(scores[0]!.value, 100);
    for (const compat of [false, true]) {
      const otherwise = (await scored(rows, "testmini", compat)).scores.at(-1)!;
      assert.deepEqual([otherwise.name, otherwise.value, otherwise.count], ["stored-otherwise", 1, 4]);
    }
  });

  test("true_false alone is a reading with compat only", async () => {
    const judged = { ...rows, "1": { response: "unsure", true_false: true } };
    assert.equal((await scored(judged, "testmini", true)).scores[0]!.value, 100);
    await assert.rejects(scored(judged), /1 of 4 answers need a verdict .* "1"/);
  });

  test("rows may come as a list or as lines, by pid or question_id", async () => {
    const list = Object.entries(rows).map(([pid, row]) => ({ pid, ...row }));
    assert.equal((await scored(list)).scores[0]!.value, 75);
    const asked = list.map(({ pid, ...row }) => ({ question_id: Number(pid), ...row }));
    const path = join(data, "rows.jsonl");
    await writeFile(path, asked.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const answers = await readAnswers(mathVista, path);
    assert.deepEqual(answers.verdicts?.byId.get("4"), { extraction: "[2001, 2002]", trueFalse: 1 });
  });
});
