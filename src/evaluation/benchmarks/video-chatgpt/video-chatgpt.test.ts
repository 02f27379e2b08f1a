import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readAnswers, readVerdicts } from "../../answers/index.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import { flattenPrompt } from "../../prompting/index.ts";
import { score } from "../../scoring/index.ts";
import writeExample from "./example.ts";
import videoChatGpt from "./index.ts";

let data = "";
before(async () => {
  data = await mkdtemp(join(tmpdir(), "video-chatgpt-"));
  await writeExample(data);
});
after(() => rm(data, { recursive: true }));

const write = async (name: string, content: unknown): Promise<string> => {
  const path = join(data, name);
  await writeFile(path, JSON.stringify(content));
  return path;
};

async function scored(split: string, predictions: unknown, verdicts: unknown, compat = false) {
  const answers = await readAnswers(videoChatGpt, await write("predictions.json", predictions));
  const { result } = await score({
    benchmark: videoChatGpt,
    load: { data, split, compat },
    answers,
    verdicts: await readVerdicts(videoChatGpt, await write("verdicts.json", verdicts)),
    model: "m",
    resamples: 0,
  });
  return { scores: result.scores.map(({ value, count }) => [value, count]), counts: result.counts };
}

test("a dimension's score is a mean from 0 to 5, of numbers cut off at the point in compat", async () => {
  const predictions = [
    { video_name: "v_a", Q: "", A: "", pred: "She skates." },
    { video_name: "v_a", Q: "", A: "", pred: "In a park." },
  ];
  const verdicts = { v_a_0: [{ score: 5 }, {}], v_a_1: [{ score: 1.5 }, {}] };
  assert.deepEqual((await scored("context", predictions, verdicts)).scores, [[3.25, 2]]);
  assert.deepEqual((await scored("context", predictions, verdicts, true)).scores, [[3, 2]]);
});

test("consistency is one score for two answers", async () => {
  const predictions = [{ video_name: "v_a", Q1: "", Q2: "", A: "", pred1: "On ice.", pred2: "In a park." }];
  const { scores, counts } = await scored("consistency", predictions, { v_a_0: [{ score: "2" }, {}] });
  assert.deepEqual(scores, [[2, 1]]);
  assert.deepEqual([counts.items, counts.judgeable, counts.unparsed], [2, 1, 0]);
});

test("the judge of consistency sees both questions with their answers; the original's sees the first twice", async () => {
  const asked = async (compat: boolean) => {
    const items: BenchmarkItem[] = [];
    for await (const item of videoChatGpt.load({ data, split: "consistency", compat })) items.push(item);
    const answers = new Map([["v_a_0/2", "In a park."]]);
    return flattenPrompt(videoChatGpt.judge!.prompt(items[0]!, "On ice.", answers)).text;
  };
  assert.match(
    await asked(false),
    /Question 1: Where does she skate\?\nQuestion 2: At what place .*\nRight answer: On a pond\.\nAnswer .* 1: On ice\.\nAnswer .* 2: In a park\./,
  );
  assert.match(await asked(true), /Question 2: Where does she skate\?/);
});

test("each dimension asks for something else", async () => {
  const tasks = new Set<string>();
  for (const split of videoChatGpt.splits)
    for await (const item of videoChatGpt.load({ data, split })) {
      tasks.add(flattenPrompt(videoChatGpt.judge!.prompt(item, "", new Map())).text.split("\n")[0]!);
      break;
    }
  assert.equal(tasks.size, 5);
});

test("the judge's score is read from its dictionary", () => {
  const read = (reply: string) => videoChatGpt.judge!.parse(reply, { id: "" });
  assert.deepEqual(read("{'score': 4.8}"), { score: 4.8 });
  assert.deepEqual(read("{''score': 3}"), { score: 3 });
  assert.equal(read("4"), undefined);
});

test("a question whose paraphrase is missing is named", async () => {
  await writeFile(join(data, "Consistency_QA2.csv"), "video_name,question,question_id,answer\n");
  await assert.rejects(async () => {
    for await (const _ of videoChatGpt.load({ data, split: "consistency" }));
  }, /QA1\.csv:2: question v_a_0 has no paraphrase/);
});
