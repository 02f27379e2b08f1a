import assert from "node:assert/strict";
import { test } from "node:test";
import { LlavaError } from "../../errors.ts";
import gqa from "./gqa/index.ts";
import ocrvqa from "./ocrvqa/index.ts";
import okvqa from "./okvqa/index.ts";
import vizwiz from "./vizwiz/index.ts";
import vqav2 from "./vqav2/index.ts";

const text = async (bytes: Promise<Uint8Array>): Promise<unknown> =>
  JSON.parse(new TextDecoder().decode(await bytes));

test("VQA v2 normalises before the server does, and refuses to score what has no answers", () => {
  const item = { id: "7", answers: Array<string>(10).fill("2"), labels: { answerType: "number" } };
  const { credit, parsed, labels } = vqav2.outcome(item, "Two.");
  assert.deepEqual([credit, parsed, labels], [1, "2", { answerType: "number" }]);
  assert.throws(
    () => vqav2.outcome({ id: "8" }, "two"),
    (error) =>
      error instanceof LlavaError && error.code === "data" && /"8" has no right answer/.test(error.message),
  );
});

test("GQA wants the words, in any case and with any space and points at the end", () => {
  const item = { id: "1", answer: "umbrella" } as never;
  const credits = ["Umbrella..", "an umbrella", "", "umbrella \n"].map(
    (answer) => gqa.outcome(item, answer).credit,
  );
  assert.deepEqual(credits, [1, 0, 0, 1]);
});

test("OCR-VQA wants the title whole, in any case", () => {
  const item = { id: "0003/0", answer: "The Sea: A Story." } as never;
  const { credit, group } = ocrvqa.outcome(item, "the sea: a story");
  assert.deepEqual([credit, group], [1, "0003"]);
  assert.equal(ocrvqa.outcome(item, "sea").credit, 0);
});

test("OK-VQA leaves each person out in turn: three others suffice", () => {
  const people = (...counts: [string, number][]): string[] =>
    counts.flatMap(([answer, count]) => Array<string>(count).fill(answer));
  const credit = (answers: string[], text: string): number =>
    okvqa.outcome({ id: "1", answers } as never, text).credit;
  // Of 10 people 2 said so: 8 leave out another and see 2 of 3, 2 leave out one of them and see 1.
  assert.ok(
    Math.abs(credit(people(["surfing", 2], ["swim", 8]), "Surfing.") - (8 * (2 / 3) + 2 / 3) / 10) < 1e-12,
  );
  assert.equal(credit(people(["two", 4], ["three", 6]), "2"), 1);
  assert.equal(credit(people(["race", 10]), "racing"), 0);
});

test("servers get normalised answers to every question, in their own fields", async () => {
  const answers = new Map([["12", "The red Bus."]]);
  assert.deepEqual(await text(vqav2.submission!.write([{ id: "12" }, { id: "13" }], answers)), [
    { question_id: 12, answer: "red bus" },
    { question_id: 13, answer: "" },
  ]);
  assert.deepEqual(await text(gqa.submission!.write([{ id: "12" }], answers)), [
    { questionId: "12", prediction: "the red bus" },
  ]);
  const item = { id: "12", name: "VizWiz_test_00000012.jpg" };
  assert.deepEqual(await text(vizwiz.submission!.write([item], answers)), [
    { image: "VizWiz_test_00000012.jpg", answer: "red bus" },
  ]);
});
