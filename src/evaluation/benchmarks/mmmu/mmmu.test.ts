import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { readAnswers } from "../../answers/index.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import { PythonRandom } from "../../python/index.ts";
import { score } from "../../scoring/index.ts";
import { chosenLetter, guessedLetter } from "./choice.ts";
import mmmu from "./index.ts";
import { isOpenAnswerRight } from "./open-answer.ts";

const options = { A: "red", B: "dark red", C: "Blue sky", D: "none" };

describe("a letter from an answer, as MMMU's own code reads it", () => {
  const cases: [string, string | undefined][] = [
    ["B", "B"],
    ["'C!.", "C"],
    // Marks come off in their order, the point before the quotes.
    ["'C.'!", undefined],
    ["(A) or (D), so (A)", "A"],
    ["A is wrong, it is C ", "C"],
    ["(B) although D ", "B"],
    // Both "red" and "dark red" are there; "red" begins later.
    ["the answer must be dark red here", "A"],
    ["I think that it is blue SKY today", "C"],
    ["blue sky", undefined],
    ["", undefined],
    ["b", undefined],
  ];
  for (const [answer, letter] of cases)
    test(JSON.stringify(answer), () => assert.equal(chosenLetter(answer, options, false), letter));

  test("a letter with a point is read by later evaluations only", () => {
    assert.equal(chosenLetter("C. Blue", options, false), undefined);
    assert.equal(chosenLetter("C. Blue", options, true), "C");
  });

  test("a guess depends on the id alone, and reaches every letter", () => {
    const guesses = Array.from({ length: 400 }, (_, index) =>
      guessedLetter(`validation_Art_${index}`, ["A", "B", "C", "D"]),
    );
    for (const letter of "ABCD") {
      const share = guesses.filter((guess) => guess === letter).length;
      assert.ok(share > 60 && share < 140, `${letter}: ${share} of 400`);
    }
    assert.equal(
      guessedLetter("validation_Art_7", ["A", "B"]),
      guessedLetter("validation_Art_7", ["A", "B"]),
    );
  });
});

test("open answers: the last clause, its numbers, and containment", () => {
  const right: [string, string[]][] = [
    ["The answer is 1,234.567.", ["1234.57"]],
    ["x = 3, so y = 0.125", ["0.12"]],
    ["It is a trans-isomer\nThus it could be $MgS$", ["MgS", "$MgS$"]],
    ["-1.5e3", ["-1500"]],
    ["c", ["C"]],
  ];
  for (const [answer, accepted] of right) assert.ok(isOpenAnswerRight(answer, accepted), answer);
  const wrong: [string, string[]][] = [
    ["", ["0"]],
    ["it is 3.4", ["3"]],
    ["abc", ["C"]],
    ["12 apples is not 13", ["12"]],
    ["nan", ["nan"]],
  ];
  for (const [answer, accepted] of wrong) assert.ok(!isOpenAnswerRight(answer, accepted), answer);
});

test("scores of a file of answers, with the guesses counted", async () => {
  const data = temporaryFolder("llava-mmmu");
  const truth = { question_type: "multiple-choice", ground_truth: "B" };
  const open = { question_type: "short-answer", ground_truth: ["2", "two"] };
  await writeFile(
    join(data, "answer_dict_val.json"),
    JSON.stringify({ validation_Art_1: truth, validation_Art_Theory_1: truth, validation_Math_1: open }),
  );
  const answers = join(data, "output.json");
  await writeFile(
    answers,
    JSON.stringify({ validation_Art_1: "B", validation_Art_Theory_1: "?", validation_Math_1: "= 2.004" }),
  );
  const items = new Map<string, BenchmarkItem>();
  for await (const item of mmmu.load({ data })) items.set(item.id, item);
  const outcomes = [];
  for await (const { id, text } of (await mmmu.readPredictions!(answers))!)
    outcomes.push(mmmu.outcome(items.get(id)!, text));
  const metrics = Object.fromEntries(mmmu.aggregate(outcomes).map(({ name, value }) => [name, value]));
  assert.equal(metrics["guessed"], 1);
  assert.equal(metrics["accuracy/Math"], 100);
  assert.equal(metrics["accuracy/Science"], 100);
  assert.equal(metrics["accuracy/Art"], 100);
  const guess = guessedLetter("validation_Art_Theory_1", ["A", "B", "C", "D"]) === "B" ? 100 : 0;
  assert.equal(metrics["accuracy/Art_Theory"], guess);
});

test("a folder with a file for each subject; its options read answers by their text", async () => {
  const folder = temporaryFolder("llava-mmmu");
  const row = { question_type: "multiple-choice", index2ans: { A: "red", B: "dark blue" } };
  await mkdir(join(folder, "Art"));
  await writeFile(
    join(folder, "Art/output.json"),
    JSON.stringify([
      { ...row, id: "validation_Art_1", response: "I am sure it must be dark blue" },
      { ...row, id: "validation_Art_2", response: "Not dark blue, so (A)" },
      { id: "validation_Art_3", response: "12" },
    ]),
  );
  const { texts, verdicts } = await readAnswers(mmmu, folder);
  assert.deepEqual(Object.fromEntries(texts), {
    validation_Art_1: "I am sure it must be dark blue",
    validation_Art_2: "Not dark blue, so (A)",
    validation_Art_3: "12",
  });
  const read = [...verdicts!.byId].map(([id, { own, guessed }]) => [id, own, guessed]);
  assert.deepEqual(read, [
    ["validation_Art_1", "B", 0],
    ["validation_Art_2", "A", 0],
  ]);
});

describe("outputs that carry their options", () => {
  const row = (number: number, response: string, letters: string, more: object = {}) => ({
    id: `validation_Art_${number}`,
    question_type: "multiple-choice",
    all_choices: [...letters],
    index2ans: Object.fromEntries([...letters].map((letter) => [letter, `the option ${letter}`])),
    response,
    ...more,
  });

  async function scored(files: Readonly<Record<string, unknown>>, path: string, compat: boolean) {
    const data = temporaryFolder("llava-mmmu");
    const truth: Record<string, object> = {};
    for (const [name, rows] of Object.entries(files)) {
      await mkdir(join(data, "out", name, ".."), { recursive: true });
      await writeFile(join(data, "out", name), JSON.stringify(rows));
      for (const { id } of rows as { id: string }[])
        truth[id] = { question_type: "multiple-choice", ground_truth: "A" };
    }
    await writeFile(join(data, "answer_dict_val.json"), JSON.stringify(truth));
    const answers = await readAnswers(mmmu, join(data, "out", path));
    const parsed: (string | undefined)[] = [];
    const { result } = await score({
      benchmark: mmmu,
      load: { data, compat },
      answers,
      verdicts: answers.verdicts,
      model: "m",
      resamples: 0,
      onOutcome: (outcome) => void parsed.push(outcome.parsed),
    });
    return { parsed, result };
  }

  test("are read by their own letters only", async () => {
    const rows = [row(1, "I think", "ABCD"), row(2, "C ", "AB"), row(3, "H. Blue", "ABCDEFGH")];
    const { parsed, result } = await scored({ "Art/output.json": rows }, "", false);
    assert.equal(parsed[2], "H");
    assert.ok("AB".includes(parsed[1]!));
    assert.equal(result.scores.find(({ name }) => name === "guessed")!.value, 2);
    assert.equal(result.judge, null);
  });

  test("with compat what no rule reads is drawn as after random.seed(42), subject by subject", async () => {
    // random.choice("ABCD") four times, the readable answer between them drawing nothing, then of "ABCDE".
    const files = {
      "Music/output.json": [row(1, "?", "ABCD"), row(2, "?", "ABCDE")].map((one) => ({
        ...one,
        id: one.id.replace("Art", "Music"),
      })),
      "Art/output.json": [
        row(1, "?", "ABCD"),
        row(2, "?", "ABCD"),
        row(3, "(D)", "ABCD"),
        row(4, "D.", "ABCD"),
      ],
    };
    const expected = new Map<string, string>();
    const random = new PythonRandom(42);
    for (const [id, letters] of [
      ["Art_1", "ABCD"],
      ["Art_2", "ABCD"],
      ["Music_1", "ABCD"],
      ["Music_2", "ABCDE"],
    ] as const)
      expected.set(`validation_${id}`, random.choice([...letters]));
    const { result } = await scored(files, "", true);
    assert.equal(result.scores.find(({ name }) => name === "guessed")!.value, 4);
    const right = [...expected.values()].filter((letter) => letter === "A").length;
    assert.equal(result.scores[0]!.value, (100 * right) / 6);
  });

  test("with compat a letter that the original stored counts", async () => {
    const rows = [row(1, "?", "ABCD", { parsed_pred: "A" }), row(2, "(B)", "ABCD", { parsed_pred: "B" })];
    const { parsed } = await scored({ "Art/parsed_output.json": rows }, "", true);
    assert.deepEqual(parsed, ["A", "B"]);
    assert.deepEqual((await scored({ "Art.json": rows }, "Art.json", true)).parsed, ["A", "B"]);
    await assert.rejects(scored({ "notes.json": rows }, "", true), /holds no <Subject>\/output\.json/);
  });
});

test("a letter I is a word where the options are not known", async () => {
  const item = { id: "validation_Art_1", answers: ["A"], multipleChoice: true, compat: false } as never;
  const parsed = (answer: string) => mmmu.outcome(item, answer).parsed;
  assert.deepEqual([parsed("I think (B)"), parsed("I"), parsed("(I)")], ["B", "I", "I"]);
  assert.equal(mmmu.outcome(item, "I cannot say").values!["guessed"], 1);
});
