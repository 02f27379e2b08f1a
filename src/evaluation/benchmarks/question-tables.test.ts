import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../errors.ts";
import type { BenchmarkItem } from "../benchmark.ts";
import { writeWorkbook } from "../dataset-files/index.ts";
import { findBenchmark } from "../registry.ts";
import { embedded, parquet, writeExampleFile } from "./example-files.ts";

type Rows = Parameters<typeof parquet>[0];
type Item = BenchmarkItem & Readonly<Record<string, unknown>>;

async function load(
  name: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  split?: string,
): Promise<Item[]> {
  const data = temporaryFolder("llava-tables");
  for (const [path, content] of Object.entries(files)) await writeExampleFile(data, path, content);
  const items: Item[] = [];
  for await (const item of (await findBenchmark(name)).load({ data, split, answered: { has: () => true } }))
    items.push(item as Item);
  return items;
}

const tsv = (rows: Rows): string => {
  const names = Object.keys(rows[0]!);
  const cell = (value: unknown): string => `"${String(value).replaceAll('"', '""')}"`;
  return [names.map(cell), ...rows.map((row) => names.map((name) => cell(row[name])))]
    .map((cells) => cells.join("\t"))
    .join("\n");
};

const image = { image: embedded };

/** Tables of the hub, a row each, and what the item must say of it. */
const hub: readonly (readonly [
  name: string,
  row: Rows[number],
  item: Readonly<Record<string, unknown>>,
  split?: string,
])[] = [
  [
    "pope",
    { question_id: "7", question: "Is there a cat?", answer: "no", category: "popular", ...image },
    { id: "20000007", label: "no" },
  ],
  [
    "vqav2",
    {
      question_id: 5,
      question: "What?",
      image_id: 9,
      question_type: "what",
      answer_type: "other",
      answers: ["a", "b"],
      ...image,
    },
    { id: "5", answers: ["a", "b"] },
  ],
  ["okvqa", { question_id: 5, question: "What?", answers: ["a"], ...image }, { id: "5", answers: ["a"] }],
  [
    "vizwiz",
    {
      question_id: "VizWiz_val_00000012.jpg",
      question: "What?",
      category: "other",
      answers: ["a"],
      ...image,
    },
    { id: "12", answers: ["a"] },
  ],
  [
    "textvqa",
    {
      question_id: 1,
      question: "what is it?",
      image_id: "0a1b",
      answers: ["x"],
      ocr_tokens: ["ACME"],
      ...image,
    },
    { id: "0a1b what is it?", tokens: ["ACME"] },
  ],
  [
    "scienceqa",
    {
      question: "Which?",
      choices: ["a", "b"],
      answer: 1,
      hint: "",
      subject: "natural science",
      grade: "grade 2",
      ...image,
    },
    { id: "0", answer: "B", choices: 2 },
  ],
  [
    "mmbench",
    {
      index: 3,
      question: "Which?",
      A: "x",
      B: "y",
      answer: "B",
      category: "c",
      "L2-category": "d",
      ...image,
    },
    { id: "3", answer: "B" },
  ],
  [
    "seed",
    {
      question_id: "11",
      question: "Which?",
      choice_a: "a",
      choice_b: "b",
      choice_c: "c",
      choice_d: "d",
      answer: "C",
      data_type: "image",
      ...image,
    },
    { id: "11", answer: "C" },
  ],
  ["ai2d", { question: "Which?", options: ["x", "y"], answer: "1", ...image }, { id: "0", answer: "B" }],
  [
    "chartqa",
    { question: "How many?", answer: "3", type: "augmented_test", ...image },
    { id: "augmented/0", answer: "3" },
  ],
  [
    "docvqa",
    { questionId: "9", question: "Who?", answers: ["Ann"], question_types: ["form"], ...image },
    { id: "9", answers: ["Ann"] },
  ],
  [
    "infovqa",
    { questionId: "9", question: "Who?", answers: ["Ann"], answer_type: ["single span"], ...image },
    { id: "9" },
  ],
  [
    "realworldqa",
    { question: "Which way?\nA. Left\nB. Right", answer: "B", ...image },
    { id: "0", answer: "B" },
  ],
  [
    "ocrvqa",
    { image_id: "0003", questions: ["Who wrote it?"], answers: ["Ann"], ...image },
    { id: "0003/0", answer: "Ann" },
  ],
  [
    "aokvqa",
    { question_id: "q", question: "Which?", choices: ["a", "b", "c", "d"], correct_choice_idx: 2, ...image },
    { id: "q", correct: 2 },
  ],
  ["gqa", { id: "20", question: "What?", answer: "cat", imageId: "n1" }, { id: "20", answer: "cat" }],
  [
    "nextqa-mc",
    {
      video: "42",
      question: "why",
      a0: "a",
      a1: "b",
      a2: "c",
      a3: "d",
      a4: "e",
      answer: 3,
      qid: "6",
      type: "CW",
    },
    { id: "42_6", answer: "D" },
  ],
  [
    "nextqa-oe",
    { video: "42", question: "why", answer: "to run", qid: "6", type: "CW", additional_ref_answer: "run" },
    { id: "42_6", answers: ["to run", "run"] },
  ],
  [
    "activitynet-qa",
    { video_name: "x", question: "is it", question_id: "v_x_1", answer: "yes", type: "3" },
    { id: "v_x_1", answer: "yes" },
  ],
  [
    "video-chatgpt",
    { video_name: "x", question: "What?", question_1: "None", question_2: "None", answer: "A cat." },
    { id: "x_0", answer: "A cat." },
  ],
  [
    "egoschema",
    {
      question_idx: "0",
      question: "Why?",
      video_idx: "u",
      option: ["A. a", "B. b", "C. c", "D. d", "E. e"],
      answer: "4",
    },
    { id: "u", answer: "E", options: ["a", "b", "c", "d", "e"] },
  ],
  [
    "perceptiontest",
    { video_name: "v", question_id: "3", question: "Why?", options: ["a", "b", "c"], answer_id: "2" },
    { id: "v/3", answer: 2 },
  ],
  [
    "videomme",
    {
      video_id: "001",
      duration: "short",
      domain: "d",
      sub_category: "s",
      videoID: "x",
      question_id: "001-1",
      task_type: "t",
      question: "Why?",
      options: ["A. a", "B. b"],
      answer: "B",
    },
    { id: "001-1", answer: "B" },
  ],
  [
    "mm-vet",
    { question_id: "v1_4", question: "Why?", answer: "x", capability: "ocr,math", ...image },
    { id: "v1_4", labels: { capabilities: "ocr_math" } },
  ],
  [
    "textcaps",
    { image_id: "i", reference_strs: ["a sign", "a board"], ...image },
    { id: "i", captions: ["a sign", "a board"] },
  ],
  ["flickr30k", { filename: "1.jpg", caption: ["a dog"], ...image }, { id: "1.jpg", captions: ["a dog"] }],
  [
    "llava-w",
    { question_id: 3, question: "Who?", category: "conv", gpt_answer: "Ann.", caption: "A woman.", ...image },
    { id: "3", reference: "Ann.", context: "A woman.", labels: { category: "conv" } },
  ],
  [
    "llava-bench-coco",
    {
      question_id: 3,
      question: "Who?",
      category: "detail",
      gpt_answer: "Ann.",
      caption: "A woman.",
      ...image,
    },
    { id: "3", reference: "Ann.", context: "A woman." },
  ],
  ["wilder", { Question: "Who?", Answer: "Ann.", ...image }, { id: "0", reference: "Ann." }],
  [
    "coco-caption",
    { question_id: "COCO_val2014_000000000042.jpg", id: 42, answer: ["a dog"], ...image },
    { id: "42", captions: ["a dog"] },
    "val2014",
  ],
];

for (const [name, row, expected, split] of hub)
  test(`${name} reads the hub's parquet table`, async () => {
    const items = await load(name, { "data/anything-00000-of-00001.parquet": parquet([row]) }, split);
    assert.equal(items.length, 1);
    for (const [field, value] of Object.entries(expected))
      assert.deepEqual(items[0]![field], value, `${name}: ${field}`);
  });

const asked = { index: "4", question: "Which?", A: "x", B: "y", C: "z", D: "w", answer: "B", category: "c" };
const open = { index: "4", question: "Who?", answer: "['Ann', 'Bo']" };

for (const [name, row, expected] of [
  [
    "pope",
    { index: "4", question: "Is there a cat?", answer: "No", category: "random" },
    { id: "4", label: "no" },
  ],
  ["mmbench", asked, { id: "4", answer: "B" }],
  ["seed", asked, { id: "4", answer: "B", options: ["x", "y", "z", "w"] }],
  ["ai2d", asked, { id: "4", answer: "B", options: ["x", "y", "z", "w"] }],
  ["scienceqa", asked, { id: "4", answer: "B", choices: 4 }],
  ["aokvqa", asked, { id: "4", correct: 1 }],
  ["realworldqa", asked, { id: "4", answer: "B" }],
  ["docvqa", open, { id: "4", answers: ["Ann", "Bo"] }],
  ["textvqa", open, { id: "4", answers: ["Ann", "Bo"] }],
  ["gqa", { ...open, answer: "cat" }, { id: "4", answer: "cat" }],
  ["chartqa", { ...open, answer: "3", split: "human" }, { id: "4", answer: "3", labels: { kind: "human" } }],
  ["ocrvqa", { ...open, answer: "Ann" }, { id: "4", answer: "Ann" }],
  [
    "mm-vet",
    { index: "4", question: "Who?", answer: "Ann", category: "ocr,know" },
    { id: "4", truth: "Ann" },
  ],
] as const)
  test(`${name} reads VLMEvalKit's table under any name, as text and as a workbook`, async () => {
    const workbook = await writeWorkbook(Object.keys(row), [Object.values(row)]);
    for (const [file, content] of [
      ["Some_Name.tsv", tsv([row])],
      ["any.xlsx", workbook],
    ] as const) {
      const items = await load(name, { [file]: content });
      assert.equal(items.length, 1, file);
      for (const [field, value] of Object.entries(expected))
        assert.deepEqual(items[0]![field], value, `${name}, ${file}: ${field}`);
    }
  });

/** The header of a JPEG image of 40 × 20 pixels. */
const header = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8, 0, 20, 0, 40, 3, 1, 0x11, 0];

test("RefCOCO's boxes are shares of the image that the hub's table embeds", async () => {
  const row = {
    question_id: "x",
    answer: ["the lady", "woman in blue"],
    bbox: [10, 5, 20, 10],
    image: { bytes: new Uint8Array(header), path: "x.jpg" },
  };
  const table = { "data/val-00000-of-00001.parquet": parquet([row, row]) };
  const items = await load("refcoco", table);
  assert.deepEqual(
    items.map(({ id, expression }) => [id, expression]),
    [
      ["0", "the lady"],
      ["1", "woman in blue"],
      ["2", "the lady"],
      ["3", "woman in blue"],
    ],
  );
  // The image lies in the middle of a square of 40 pixels.
  assert.deepEqual(items[0]!["box"], [0.25, 0.375, 0.75, 0.625]);
  const regions = await load("refcoco-naming", table);
  assert.deepEqual(
    regions.map(({ id, captions }) => [id, captions]),
    [
      ["0", row.answer],
      ["1", row.answer],
    ],
  );
  const cut = { ...row, image: { bytes: new Uint8Array(header.slice(0, 8)), path: "x.jpg" } };
  await assert.rejects(load("refcoco", { "val.parquet": parquet([cut]) }), /neither JPEG nor PNG/);
});

const cat = { question_id: "1", question: "Is there a cat?", answer: "no", category: "random" };

test("parts make up one table in order, of the split that their names tell", async () => {
  const dog = { ...cat, question_id: "2", question: "Is there a dog?" };
  const items = await load("pope", {
    "data/test-00001-of-00002.parquet": parquet([dog]),
    "data/test-00000-of-00002.parquet": parquet([cat]),
  });
  assert.deepEqual(
    items.map(({ id }) => id),
    ["10000001", "10000002"],
  );
  const document = { questionId: "9", question: "Who?", answers: ["Ann"], question_types: ["form"] };
  const files = {
    "DocVQA/validation-00000-of-00001.parquet": parquet([document]),
    "DocVQA/test-00000-of-00001.parquet": parquet([{ ...document, questionId: "10" }]),
  };
  assert.deepEqual(
    (await load("docvqa", files, "val")).map(({ id }) => id),
    ["9"],
  );
  assert.deepEqual(
    (await load("docvqa", files, "test")).map(({ id }) => id),
    ["10"],
  );
});

test("several tables that fit, and one that does not, are named", async () => {
  const refused = (work: Promise<unknown>, message: RegExp): Promise<void> =>
    assert.rejects(
      work,
      (error) => error instanceof LlavaError && error.code === "data" && message.test(error.message),
    );
  const table = tsv([{ index: "1", question: "Is there a cat?", answer: "no", category: "random" }]);
  await refused(
    load("pope", { "one.tsv": table, "two.tsv": table }),
    /several tables fit .*one\.tsv, two\.tsv/,
  );
  await refused(load("pope", { "x.tsv": tsv([{ a: "1", b: "2" }]) }), /x\.tsv has the columns a, b/);
});

test("a cell that names another row's index shows its image", async () => {
  const long = "/9j/".padEnd(100, "A");
  const rows = [
    { index: "1", question: "Is there a cat?", answer: "no", category: "random", image: long },
    { index: "2", question: "Is there a dog?", answer: "no", category: "random", image: "1" },
  ];
  const items = await load("pope", { "x.tsv": tsv(rows) });
  assert.deepEqual(
    items.map((item) => item["image"]),
    Array(2).fill(`data:image/jpeg;base64,${long}`),
  );
});
