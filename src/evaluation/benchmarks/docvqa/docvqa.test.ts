import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import documents from "./index.ts";

const docvqa = documents.find(({ name }) => name === "docvqa")!;

test("mean similarity, in the tables by type of question", () => {
  const ask = (type: string, answer: string): number =>
    docvqa.outcome(
      { id: "1", labels: { type }, answers: ["itc limited", "ITC Limited"] } as BenchmarkItem,
      answer,
    ).credit;
  assert.equal(ask("form", "ITC LIMITED"), 1);
  assert.equal(ask("form", "itc limitet"), 1 - 1 / 11);
  assert.equal(ask("form", "something else"), 0);
  const outcomes = [
    { id: "1", credit: 1, labels: { type: "form" } },
    { id: "2", credit: 0.5, labels: { type: "layout" } },
  ];
  const scores = docvqa.aggregate(outcomes).map(({ name, value }) => [name, value]);
  assert.deepEqual(scores, [
    ["anls", 75],
    ["anls/form", 100],
    ["anls/layout", 50],
  ]);
});

test("questions with the suffix written out give the same prompt; the server gets numbers as ids", async () => {
  const data = temporaryFolder("llava-docvqa");
  const question = "What is the name?\nAnswer the question using a single word or phrase.";
  const row = { question_id: 7, image: "a.png", question, answer: ["Paul"] };
  await writeFile(join(data, "val.jsonl"), `${JSON.stringify(row)}\n`);
  const items: BenchmarkItem[] = [];
  for await (const item of docvqa.load({ data })) items.push(item);
  assert.deepEqual(docvqa.prompt(items[0]!).at(0)?.content.at(-1), { type: "text", text: question });
  assert.equal(docvqa.outcome(items[0]!, "paul").credit, 1);
  const bytes = await docvqa.submission!.write(items, new Map([["7", "Paul"]]));
  assert.equal(new TextDecoder().decode(bytes), '[{"questionId":7,"answer":"Paul"}]');
  await assert.rejects(docvqa.load({ data, split: "test" })[Symbol.asyncIterator]().next(), /holds none of/);
});
