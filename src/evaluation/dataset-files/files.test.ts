import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { LlavaError } from "../../errors.ts";
import { readJsonLines } from "../../files/index.ts";
import {
  findFile,
  imageDataUrl,
  locateFile,
  readJsonDocument,
  readLlavaQuestions,
  readTable,
  readVqaQuestions,
  readWorkbook,
  writeWorkbook,
} from "./index.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "llava-files-"));
});
after(() => rm(folder, { recursive: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function collect<Row>(source: AsyncIterable<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of source) rows.push(row);
  return rows;
}

const refused = (work: Promise<unknown>, message: RegExp): Promise<void> =>
  assert.rejects(
    work,
    (error) => error instanceof LlavaError && error.code === "data" && message.test(error.message),
  );

test("JSON lines carry their line, over empty ones and ends of either kind", async () => {
  const path = await put("rows.jsonl", '{"a":"é"}\r\n\n[2]');
  assert.deepEqual(await collect(readJsonLines(path)), [
    { value: { a: "é" }, line: 1 },
    { value: [2], line: 3 },
  ]);
});

test("a line that is cut, or is not UTF-8, is named", async () => {
  await refused(
    collect(readJsonLines(await put("cut.jsonl", '{"a":1}\n{"a":'))),
    /cut\.jsonl:2: not valid JSON/,
  );
  const latin = Buffer.from('{"a":1}\n{"a":"\xe9"}\n', "latin1");
  await refused(collect(readJsonLines(await put("latin.jsonl", latin))), /latin\.jsonl:2: not UTF-8/);
  await refused(collect(readJsonLines(join(folder, "none.jsonl"))), /none\.jsonl: cannot be read/);
});

test("lines longer than a piece of the file stay whole", async () => {
  const text = "ü".repeat(1_500_000);
  const rows = await collect(readJsonLines(await put("long.jsonl", `"${text}"\n"b"\n`)));
  assert.deepEqual([rows[0]!.value === text, rows[1]!.value], [true, "b"]);
});

test("documents are read with or without a mark or compression, and a fault has its line", async () => {
  assert.deepEqual(await readJsonDocument(await put("a.json", '\ufeff{"a":1}')), { a: 1 });
  assert.deepEqual(await readJsonDocument(await put("a.gzip", gzipSync('{"a":1}'))), { a: 1 });
  await refused(readJsonDocument(await put("bad.json", '{\n"a": 1,\n"b" 2}')), /bad\.json:3: not valid JSON/);
  await refused(readJsonDocument(await put("short.json", '{\n"a": 1')), /short\.json:2: not valid JSON/);
});

test("tables keep tabs and newlines inside quotes, and name the line of a row that is too short", async () => {
  const path = await put("rows.tsv", 'index\tquestion\n1\t"two\nlines"\n2\tÀ, b\n');
  assert.deepEqual(await collect(readTable(path)), [
    { values: { index: "1", question: "two\nlines" }, line: 3 },
    { values: { index: "2", question: "À, b" }, line: 4 },
  ]);
  await refused(
    collect(readTable(await put("bad.csv", "a,b\n1,2\n3\n"))),
    /bad\.csv:3: cannot be read as a table/,
  );
  await refused(collect(readTable(join(folder, "none.csv"))), /none\.csv: cannot be read/);
});

test("workbooks come back as they were written", async () => {
  const bytes = await writeWorkbook(
    ["index", "A"],
    [
      [241, " x & <y>\n😱"],
      [1_000_241, undefined],
    ],
  );
  assert.deepEqual(await readWorkbook(await put("rows.xlsx", bytes)), [
    { index: 241, A: " x & <y>\n😱" },
    { index: 1_000_241, A: null },
  ]);
  await refused(readWorkbook(await put("bad.xlsx", "no zip")), /bad\.xlsx: cannot be read as xlsx/);
});

test("a file is found among candidates, or is the data itself", async () => {
  const path = await put("found.tsv", "");
  assert.equal(findFile(folder, ["none.tsv", "found.tsv"]), path);
  assert.equal(findFile(path, ["other.tsv"]), path);
  assert.equal(findFile(path, ["other.json"]), undefined);
  assert.throws(() => locateFile(folder, ["x.json", "y.json"]), /holds none of x\.json, y\.json/);
});

test("images in base64 say their kind", () => {
  assert.equal(imageDataUrl("iVBORw0KGgoAAA"), "data:image/png;base64,iVBORw0KGgoAAA");
  assert.equal(imageDataUrl("/9j/4AAQ"), "data:image/jpeg;base64,/9j/4AAQ");
});

test("LLaVA's question files lose their suffix, and a row without an id is named", async () => {
  const path = await put(
    "q.jsonl",
    '{"question_id":7,"image":"a.jpg","text":"Why?\\nShort."}\n{"image":"b.jpg"}\n',
  );
  const questions = readLlavaQuestions(path, "\nShort.");
  const first = { id: "7", image: "a.jpg", text: "Why?", category: "default" };
  assert.deepEqual((await questions.next()).value, first);
  await refused(questions.next(), /q\.jsonl:2: question_id: /);
});

test("VQA questions find their annotations in any order, and do without", async () => {
  const question = (id: number) => ({ question_id: id, image_id: 5, question: `${id}?` });
  const annotation = (id: number, answer: string) => ({
    question_id: id,
    answer_type: "other",
    answers: [{ answer }, { answer: "b" }],
  });
  const questions = await put(
    "q.json",
    JSON.stringify({ questions: [question(1), question(2), question(3)] }),
  );
  const annotations = await put(
    "a.json",
    JSON.stringify({ annotations: [annotation(3, "c"), annotation(1, "a")] }),
  );
  const bad = await put("bad-a.json", JSON.stringify({ annotations: [{ question_id: 1 }] }));
  // Large files are read in a thread of their own; here by request.
  for (const aside of [undefined, 0]) {
    const rows = await collect(readVqaQuestions(questions, annotations, { aside }));
    assert.deepEqual(
      rows.map(({ id, answers, answerType }) => [id, answers, answerType]),
      [
        ["1", ["a", "b"], "other"],
        ["2", undefined, undefined],
        ["3", ["c", "b"], "other"],
      ],
    );
    await refused(collect(readVqaQuestions(questions, bad, { aside })), /bad-a\.json: answers/);
  }
});

test("annotations beyond what a thread reads ahead arrive whole, and the thread ends with its reader", async () => {
  const ids = Array.from({ length: 60_000 }, (_, id) => id);
  const annotations = ids.map((id) => ({
    question_id: id,
    answer_type: ["number", "other"][id % 2],
    answers: Array.from({ length: id % 11 }, (_, person) => ({ answer: `answer ${(id + person) % 5000}` })),
  }));
  const questions = ids.map((id) => ({ question_id: id, image_id: id, question: "?" }));
  const files = [
    await put("many-q.json", JSON.stringify({ questions })),
    await put("many-a.json", JSON.stringify({ annotations })),
  ] as const;
  const [aside, here] = [0, Number.POSITIVE_INFINITY];
  assert.deepEqual(
    await collect(readVqaQuestions(...files, { aside })),
    await collect(readVqaQuestions(...files, { aside: here })),
  );
  for await (const { answers } of readVqaQuestions(...files, { aside })) {
    assert.deepEqual(answers, []);
    break; // a thread that went on would keep the test from ending
  }
});
