import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { LlavaError } from "../../../errors.ts";
import { readAnswers, readVerdicts } from "../../answers/index.ts";
import type { Benchmark } from "../../benchmark.ts";
import { flattenPrompt } from "../../prompting/index.ts";
import { score } from "../../scoring/index.ts";
import writeExample from "./example.ts";
import benchmarks from "./index.ts";
import { readJudgement } from "./judge.ts";

const named = (name: string): Benchmark => benchmarks.find((benchmark) => benchmark.name === name)!;

let data = "";
before(async () => {
  data = await mkdtemp(join(tmpdir(), "video-qa-"));
  await writeExample(data);
});
after(() => rm(data, { recursive: true }));

const write = async (name: string, content: unknown): Promise<string> => {
  const path = join(data, name);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

async function scored(
  benchmark: Benchmark,
  predictions: string,
  options: { compat?: boolean; split?: string; verdicts?: string } = {},
) {
  const { compat, split, verdicts } = options;
  const { result } = await score({
    benchmark,
    load: { data, compat, split },
    answers: await readAnswers(benchmark, predictions),
    verdicts: verdicts === undefined ? undefined : await readVerdicts(benchmark, verdicts),
    model: "m",
    resamples: 0,
  });
  return Object.fromEntries(result.scores.map(({ name, value }) => [name, value]));
}

describe("short answers", () => {
  const rows = (first: string, second: string) => [
    { question_id: "v_aB_c_0", answer: first },
    { question_id: "v_d_0", answer: second },
  ];

  test("count word by word, without regard to case and a final point", async () => {
    const path = await write("answers.json", rows("Yes.", "a rope"));
    const [loose, strict] = [
      await scored(named("activitynet-qa"), path),
      await scored(named("activitynet-qa"), path, { compat: true }),
    ];
    assert.deepEqual(loose, {
      accuracy: 50,
      "accuracy/Free": 100,
      "accuracy/Motion": 0,
      "accuracy/Yes/No": 100,
    });
    assert.equal(strict["accuracy"], 0);
  });

  test("compat divides free ones by the questions of all types but the first three of the file", async () => {
    const types = [3, 0, 4, 1, 2, 2, 2];
    const questions = types.map((_, id) => ({ video_name: "x", question: "what", question_id: String(id) }));
    const answers = types.map((type, id) => ({ answer: "a", type, question_id: id }));
    const folder = join(data, "order");
    await mkdir(folder);
    await writeFile(join(folder, "val_q.json"), JSON.stringify(questions));
    await writeFile(join(folder, "val_a.json"), JSON.stringify(answers));
    const right = await write(
      "right.json",
      answers.map(({ question_id }) => ({ question_id, answer: "a" })),
    );
    const free = async (compat: boolean) => {
      const benchmark = named("activitynet-qa");
      const outcomes = [];
      const { texts } = await readAnswers(benchmark, right);
      for await (const item of benchmark.load({ data: folder, split: "val", compat }))
        outcomes.push(benchmark.outcome(item, texts.get(item.id)!));
      return benchmark.aggregate(outcomes).find(({ name }) => name === "accuracy/Free")!.value;
    };
    assert.equal(await free(false), 100);
    // Two free questions are right; types 3, 0 and 4 come first, and four questions are of others.
    assert.equal(await free(true), 50);
  });

  test("are read from files where the truth is called answer", async () => {
    const path = await write(
      "pred.jsonl",
      '{"id": "v_aB_c_0", "answer": "yes", "pred": "no"}\n{"id": "v_d_0", "answer": "rope", "pred": "rope"}\n',
    );
    assert.equal((await scored(named("activitynet-qa"), path))["accuracy"], 50);
    const csv = await write("pred.csv", "question_id,answer,pred\nv_aB_c_0,yes,yes\nv_d_0,rope,rope\n");
    assert.equal((await scored(named("activitynet-qa"), csv))["accuracy"], 100);
  });

  test("lie in tables too, under the column that is unique", async () => {
    const items = [];
    for await (const item of named("tgif-frameqa").load({ data: join(data, "TGIF_FrameQA.csv") }))
      items.push(item);
    assert.deepEqual(
      items.map(({ id, labels }) => [id, labels]),
      [["FRAMEQA1", { type: "Number" }]],
    );
  });
});

test("a judge's dictionary is read in any quotes, with words around it", () => {
  for (const [reply, verdict] of [
    ["{'pred': 'yes', 'score': 4}", { pred: "yes", score: 4 }],
    ['{"pred": "No", "score": 0}', { pred: "no", score: 0 }],
    ["```python\n{'score': 4.8, 'pred': 'yes'}\n```", { pred: "yes", score: 4.8 }],
    ["{'pred': 'yes', 'score': '3'}", { pred: "yes", score: 3 }],
    ["{'pred': 'yes'}", undefined],
    ["{'pred': 'maybe', 'score': 3}", undefined],
    ["{'pred': 'yes', 'score': 6}", undefined],
    ["yes, 4", undefined],
    ["", undefined],
  ] as const)
    assert.deepEqual(readJudgement(reply), verdict, reply);
});

test("judged answers have an accuracy and a mean score, which compat cuts off at the point", async () => {
  const benchmark = named("activitynet-qa-judge");
  const answers = await write("answers.json", [
    { question_id: "v_aB_c_0", answer: "of course" },
    { question_id: "v_d_0", answer: "a rope" },
  ]);
  const verdicts = await write("combined.json", {
    v_aB_c_0: [
      { pred: "yes", score: 4.8 },
      { q: "", a: "", pred: "" },
    ],
    v_d_0: [{ pred: "unclear", score: 1 }, {}],
  });
  const fixed = await scored(benchmark, answers, { verdicts });
  assert.deepEqual([fixed["accuracy"], fixed["score"]], [50, 2.9]);
  const compat = await scored(benchmark, answers, { verdicts, compat: true });
  assert.deepEqual([compat["accuracy"], compat["score"]], [100, 2.5]);
  const list = await write("list.json", [
    { question_id: "v_aB_c_0", Correctness: "yes", score: 5, Q: "", A: "", pred: "" },
    { question_id: "v_d_0", Correctness: "no", score: 2, Q: "", A: "", pred: "" },
  ]);
  assert.deepEqual((await scored(benchmark, answers, { verdicts: list }))["score"], 3.5);
});

describe("lettered options", () => {
  test("are chosen by number in NExT-QA's results, and by letter in words", async () => {
    const results = await write("results.json", {
      "40_6": { prediction: 1, answer: 1 },
      "41_0": { prediction: 0, answer: 4 },
    });
    assert.deepEqual(await scored(named("nextqa-mc"), results), {
      accuracy: 50,
      "accuracy/C": 100,
      "accuracy/CW": 100,
      "accuracy/T": 0,
      "accuracy/TN": 0,
    });
    const words = await write(
      "words.jsonl",
      '{"question_id": "40_6", "text": "(B) late"}\n{"question_id": "41_0", "text": "E."}\n',
    );
    assert.equal((await scored(named("nextqa-mc"), words))["accuracy"], 100);
  });

  test("have their videos where the map says, and otherwise by their name", async () => {
    const images = [];
    for await (const item of named("nextqa-mc").load({ data }))
      images.push(
        ...flattenPrompt(named("nextqa-mc").prompt(item)).images.map((path) => path.replace(data, ".")),
      );
    assert.deepEqual(images, ["./NExTVideo/0101/40.mp4", "./NExTVideo/41.mp4"]);
  });

  test("that lack the right answer are refused by line", async () => {
    await write(
      "multiple_choice_qa/STAR.csv",
      ",video_name,question,answer_number,question_id,question_type,a0,a1,a2,a3,answer\n1,6H,What?,4,I_1,I_T,a,b,c,d,e\n",
    );
    await assert.rejects(
      async () => {
        for await (const _ of named("star").load({ data }));
      },
      (error) => error instanceof LlavaError && /STAR\.csv:2: "4" is none of the options/.test(error.message),
    );
  });
});

test("an answer that is missing from the second file is named", async () => {
  await write("dataset/val_a.json", [{ answer: "yes", type: 3, question_id: "v_aB_c_0" }]);
  await assert.rejects(
    async () => {
      for await (const _ of named("activitynet-qa").load({ data, split: "val" }));
    },
    (error) => error instanceof LlavaError && /no answer to question "v_d_0"/.test(error.message),
  );
});
