import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../errors.ts";
import { writeWorkbook } from "../dataset-files/index.ts";
import { asRuns, readAnswerFiles, readAnswers } from "./index.ts";

const folder = temporaryFolder("llava-fields");

let files = 0;
function put(content: string | Uint8Array, ending = "txt"): string {
  const path = join(folder, `file-${++files}.${ending}`);
  writeFileSync(path, content);
  return path;
}

const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const csv = (rows: readonly (readonly string[])[], mark: string): string =>
  rows.map((row) => row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(mark)).join("\n");
const textsOf = async (path: string): Promise<[string, string][]> => [...(await readAnswers({}, path)).texts];

const refused = (work: Promise<unknown>, ...patterns: RegExp[]): Promise<void> =>
  assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof LlavaError && error.code === "data", String(error));
    for (const pattern of patterns) assert.match(`${error.message} ${error.hint}`, pattern);
    return true;
  });

test("a right answer beside the model's is never taken for it, whatever both are called", async () => {
  const predictions = ["prediction", "response", "pred", "output", "model_answer", "text", "zorp"];
  for (const name of predictions) {
    const rows = ["1", "2"].map((id) => ({ question_id: id, answer: "yes", [name]: "no" }));
    for (const content of [lines(rows), JSON.stringify(rows)]) {
      const path = put(content);
      await refused(readAnswers({}, path), new RegExp(`"${name}"`), /"answer"/, /--answer-field/);
      const { texts } = await readAnswerFiles({}, [path], { fields: { answer: name } });
      assert.deepEqual([...texts.values()], ["no", "no"]);
    }
  }
});

test("the question or a list of right answers alone is no prediction", async () => {
  await refused(
    readAnswers({}, put(lines([{ question_id: 1, question: "Is it?", answer: "yes" }]))),
    /"question"/,
  );
  const asked = { question_id: 1, image: "a.jpg", text: "Is it?", category: "default" };
  await refused(readAnswers({}, put(lines([asked]))), /"text", "image"/);
  await refused(
    readAnswers({}, put(lines([{ question_id: 1, label: "yes", zorp: "no" }]))),
    /--answer-field zorp/,
  );
  await refused(readAnswers({}, put(lines([{ question_id: 1, label: "yes" }]))), /has no text/);
});

test("known layouts are read by their fields: LLaVA's, servers', a field with one meaning", async () => {
  const llava = { question_id: 1, prompt: "Is it?", text: "no", answer_id: "x", model_id: "m", metadata: {} };
  for (const row of [
    llava,
    { question_id: 1, answer: "no" },
    { questionId: 1, prediction: "no" },
    { id: 1, label: "yes", response: "no" },
    { question_id: 1, gt_answer: "yes", pred: "no" },
    { question_id: 1, answer: "no", model_id: "m", question: "Is it?" },
  ])
    assert.deepEqual(
      await textsOf(put(lines([row, { ...row, question_id: 2, questionId: 2, id: 2 }]))).then(([one]) => one),
      ["1", "no"],
    );
  await refused(
    readAnswers(
      {},
      put(
        lines([
          { question_id: 1, text: "a" },
          { question_id: 2, pred: "b" },
        ]),
      ),
    ),
    /its answer is in "pred"/,
  );
});

test("a benchmark may say that `answer` is right beside a field of its own", async () => {
  const path = put(lines([{ id: 1, question: "What?", answer: "yes", pred: "no" }]));
  assert.deepEqual([...(await readAnswers({ answerField: "pred" }, path)).texts], [["1", "no"]]);
  await refused(readAnswers({}, path), /"pred", "answer"/);
});

test("VLMEvalKit's tables are read in all forms, whatever their names", async () => {
  const header = ["index", "question", "A", "B", "answer", "prediction"];
  const rows = [
    ["0", "Which?", "x", "y", "A", "B"],
    ["1", "What\nnow, then?", "x", "y", "B", ""],
  ];
  const objects = rows.map((row) => Object.fromEntries(row.map((cell, index) => [header[index]!, cell])));
  const columns = Object.fromEntries(
    header.map((name, column) => [name, Object.fromEntries(rows.map((row, index) => [index, row[column]]))]),
  );
  const workbook = await writeWorkbook(
    header,
    rows.map((row) => [Number(row[0]), ...row.slice(1)]),
  );
  for (const content of [
    csv([header, ...rows], "\t"),
    csv([header, ...rows], ","),
    workbook,
    lines(objects),
    JSON.stringify(objects),
    JSON.stringify(columns),
  ])
    assert.deepEqual(await textsOf(put(content)), [
      ["0", "B"],
      ["1", ""],
    ]);
});

test("a key that stands twice in a document, at any depth, is a second answer", async () => {
  await refused(
    readAnswers({}, put('{"1": "yes",\n "2": "no",\n "1": "no"}')),
    /:3: a second answer to question "1"/,
  );
  await refused(
    readAnswers({}, put('{"v": {"1": "yes", "\\u0031": "no"}}')),
    /a second answer to question "1"/,
  );
  assert.equal((await textsOf(put('{"1": "{\\"1\\": 1}, \\"1\\"", "2": "[1, 1]"}'))).length, 2);
});

test("files whose questions differ are chunks of one run; a question answered again begins the next", async () => {
  const rows = [1, 2, 3, 4].map((id) => ({ question_id: id, text: `t${id}` }));
  const read = async (...parts: (readonly object[])[]) =>
    asRuns(await Promise.all(parts.map((part) => readAnswers({}, put(lines(part))))));
  const [first, second] = [rows.slice(0, 2), rows.slice(2)];
  assert.deepEqual(
    (await read(first, second)).map(({ texts }) => texts.size),
    [4],
  );
  assert.deepEqual(
    (await read(rows, rows)).map(({ texts }) => texts.size),
    [4, 4],
  );
  assert.deepEqual(
    (await read(first, second, first, second)).map(({ texts }) => texts.size),
    [4, 4],
  );
  const named = (part: readonly object[], model_id: string) => part.map((row) => ({ ...row, model_id }));
  assert.equal((await read(named(first, "a"), named(second, "b"))).length, 2);
});

const word = fc.string({ minLength: 1, maxLength: 8 });
const fieldName = fc.stringMatching(/^[a-z][a-z_]{2,9}$/);

test("property: whatever stands beside it, the named field is read, and without a name never the right answer", () =>
  fc.assert(
    fc.asyncProperty(
      fieldName.filter(
        (name) => !["question_id", "qid", "pid", "index", "image_id", "error", "answer"].includes(name),
      ),
      fc.uniqueArray(fc.tuple(fc.nat(1e6), word, word), {
        minLength: 1,
        maxLength: 6,
        selector: ([id]) => id,
      }),
      fc.constantFrom("", " ", "\n", ".", "\r\n"),
      async (name, rows, end) => {
        const given = rows.map(([id, truth, said]) => ({
          question_id: id,
          answer: truth,
          [name]: said + end,
        }));
        const path = put(lines(given));
        const { texts } = await readAnswerFiles({}, [path], { fields: { answer: name } });
        assert.deepEqual(
          [...texts],
          rows.map(([id, , said]) => [String(id), said + end]),
        );
        const guessed = await readAnswers({}, path).catch((error: unknown) => error);
        // A producer's field (model, metadata) is no candidate, so that `answer` is what it wrote.
        if (!(guessed instanceof LlavaError))
          assert.match(name, /^(model|served|key|metadata|answer_id|model_id)$/);
      },
    ),
    { numRuns: 60 },
  ));

test("property: chunks in any split join to the whole, and a repeated row is an error", () =>
  fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(1e6), { minLength: 2, maxLength: 9 }),
      fc.nat(8),
      async (ids, cut) => {
        const rows = ids.map((id) => ({ question_id: id, text: `t${id}` }));
        const at = 1 + (cut % (ids.length - 1));
        const parts = [rows.slice(0, at), rows.slice(at)].map((part) => put(lines(part)));
        const whole = await readAnswers({}, put(lines(rows)));
        const runs = asRuns(await Promise.all(parts.map((path) => readAnswers({}, path))));
        assert.equal(runs.length, 1);
        assert.deepEqual([...runs[0]!.texts], [...whole.texts]);
        const twice = [...rows, rows[at]!];
        await refused(readAnswers({}, put(lines(twice))), /a second answer/);
        await refused(readAnswers({}, put(JSON.stringify(twice))), /a second answer/);
      },
    ),
    { numRuns: 40 },
  ));
