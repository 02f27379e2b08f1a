// Pairs of answers in the forms that data sets have: npm test -- src/data/rows/pair-fields.test.ts
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openProcessor, sourceWithoutModel } from "../../processing/processor/index.ts";
import { sidesOf } from "../../protocol/index.ts";
import { encodeWithin } from "../loading/encode-within.ts";
import { parseRow } from "./parse-row.ts";

const origin = "pairs.jsonl:3";
const [asked, better, worse] = ["What is this?", "A bird.", "A bird and a cat."];
const user = { role: "user", content: asked };
const seen = { role: "user", content: [{ type: "image" }, { type: "text", text: asked }] };
const says = (content: unknown) => ({ role: "assistant", content });
const parts = (text: string) => [{ type: "text", text }];
const turns = [
  { from: "human", value: `<image>\n${asked}` },
  { from: "gpt", value: better },
];
const photo = { images: [{ name: "a.jpg" }], conversations: turns };
const texts = { images: [], conversations: [{ from: "human", value: asked }, turns[1]!] };

/** What each of them is as a row, but for its id, origin and fields that are not read. */
const forms: Record<string, [value: Record<string, unknown>, expected: object]> = {
  "LLaVA-NeXT's: a prompt, two answers": [
    { image: "a.jpg", prompt: `<image>\n${asked}`, answer: "?", chosen: better, rejected: worse },
    photo,
  ],
  "LLaVA-Hound's, the prompt without a mark, with scores": [
    { image: "a.jpg", prompt: asked, chosen: { value: better }, rejected: worse, chosen_score: 4 },
    photo,
  ],
  "LLaVA-Hound's, about a folder of frames": [
    { video: "v_1", prompt: asked, answer: "?", chosen: better, rejected: worse, rejected_score: 2 },
    { images: [{ name: "v_1", isVideo: true }], conversations: turns },
  ],
  "about an image and a video, whose mark the prompt lacks": [
    { image: "a.jpg", video: "v_1", prompt: asked, chosen: better, rejected: worse },
    {
      images: [{ name: "a.jpg" }, { name: "v_1", isVideo: true }],
      conversations: [{ from: "human", value: `<image>\n<image>\n${asked}` }, turns[1]],
    },
  ],
  "TRL's, messages with a video in parts": [
    {
      prompt: [
        {
          role: "user",
          content: [
            { type: "video", video: "v_1" },
            { type: "text", text: asked },
          ],
        },
      ],
      chosen: [says(better)],
      rejected: [says(worse)],
    },
    {
      images: [{ name: "v_1", isVideo: true }],
      conversations: [{ from: "human", value: `<image>${asked}` }, turns[1]],
    },
  ],
  "TRL's, text": [{ prompt: asked, chosen: better, rejected: worse }, texts],
  "TRL's, messages with images in parts": [
    { images: ["a.jpg"], prompt: [seen], chosen: [says(parts(better))], rejected: [says(parts(worse))] },
    { ...photo, conversations: [{ from: "human", value: `<image>${asked}` }, turns[1]] },
  ],
  "TRL's, the prompt at the begin of both": [
    { chosen: [user, says(better)], rejected: [user, says(worse)] },
    texts,
  ],
  "RLAIF-V's": [
    { image: { path: "a.jpg" }, question: asked, chosen: better, rejected: worse, origin_dataset: "x" },
    photo,
  ],
  "RLHF-V's, in JSON inside": [
    { image: "a.jpg", text: JSON.stringify({ question: asked, chosen: better, rejected: worse }) },
    photo,
  ],
  "LLaMA-Factory's conversations": [
    {
      images: ["a.jpg"],
      conversations: [turns[0]],
      chosen: { from: "gpt", value: better },
      rejected: { from: "gpt", value: worse },
    },
    photo,
  ],
  "Alpaca's": [
    { instruction: "What is", input: "this?", chosen: better, rejected: worse },
    { ...texts, conversations: [{ from: "human", value: "What is\nthis?" }, turns[1]] },
  ],
  "ms-swift's": [
    { images: ["a.jpg"], messages: [seen, says(better)], rejected_response: worse },
    { ...photo, conversations: [{ from: "human", value: `<image>${asked}` }, turns[1]] },
  ],
};

describe("a pair of answers is read in the form", () => {
  for (const [name, [value, expected]] of Object.entries(forms))
    test(name, () => {
      const { unusedFields = [], ...row } = parseRow({ id: "a", ...value }, origin);
      assert.deepEqual(row, { id: "a", ...expected, rejected: worse, origin });
      assert.deepEqual(unusedFields, "answer" in value ? ["answer"] : []);
    });

  test("of several turns, with a system message", () => {
    const history = [["a", "b"]];
    const { conversations } = parseRow(
      { history, instruction: "c", chosen: better, rejected: worse, system: "s" },
      origin,
    );
    assert.deepEqual(
      conversations.map(({ value }) => value),
      ["a", "b", "c", better],
    );
    const messages = [{ role: "system", content: "Be brief." }, user, says("b"), user];
    const row = parseRow({ prompt: messages, chosen: better, rejected: worse }, origin);
    assert.equal(row.system, "Be brief.");
    assert.equal(row.conversations.length, 4);
  });
});

test("what is no pair, or half of one, is refused by what it lacks", () => {
  const refused = (value: object, message: RegExp) =>
    assert.throws(() => parseRow(value, origin), { problem: "form", message });
  refused({ prompt: asked, chosen: better }, /pairs\.jsonl:3: rejected: has no answer/);
  refused({ prompt: asked, chosen: better, rejected: "" }, /rejected: has no answer/);
  refused({ prompt: asked, chosen: null, rejected: worse }, /chosen: has no answer/);
  refused({ chosen: better, rejected: worse }, /prompt: is needed/);
  refused(
    { prompt: asked, question: asked, chosen: better, rejected: worse },
    /prompt and question are both/,
  );
  refused({ prompt: asked, chosen: better, rejected: 3 }, /rejected: is the number 3, expected text or a/);
  refused({ prompt: asked, chosen: [user], rejected: worse }, /chosen: does not end in an answer/);
  const about = (image: string) => [{ role: "user", content: [{ type: "image", image }] }, says(image)];
  refused({ chosen: about("a.jpg"), rejected: [user, says(worse)] }, /other images: a\.jpg \| none/);
  refused({ chosen: [user, says(better)], rejected: [says("x"), user, says(worse)] }, /answer other turns/);
  refused(
    { image: "a.jpg", prompt: asked, chosen: better, rejected: worse, rejected_images: ["b.jpg"] },
    /rejected_images: b\.jpg, not a\.jpg/,
  );
  refused({ text: '{"rejected": ', image: "a.jpg" }, /text: holds a pair in JSON that is not valid/);
});

describe("a pair becomes ids", async () => {
  const folder = join(import.meta.dirname, "../../../test/fixtures/tokenizer/llama2");
  const processor = await openProcessor(sourceWithoutModel({ folder }, { name: "v1" }, 2));
  const encode = (value: object, maxTokens = 1000, truncates = false) =>
    sidesOf(parseRow({ id: "x", ...value }, "x")).map((row) =>
      encodeWithin(
        row,
        processor,
        row.images.map(() => processor.layoutOf()),
        { maxTokens, truncates, turnMarks: "refuse" },
      ),
    );
  const trained = ({ labels }: { labels: readonly number[] }) => labels.filter((label) => label >= 0).length;
  const pair = {
    history: [["the", "dog runs"]],
    instruction: "a",
    chosen: "the dog",
    rejected: "the cat ran",
  };

  test("with the same prompt, of which earlier answers are a part, and an end behind both answers", () => {
    const [chosen, rejected] = encode(pair) as [ReturnType<typeof encode>[0], ReturnType<typeof encode>[0]];
    const prompt = chosen.labels.findIndex((label) => label >= 0);
    assert.equal(
      prompt,
      rejected.labels.findIndex((label) => label >= 0),
    );
    assert.deepEqual(chosen.inputIds.slice(0, prompt), rejected.inputIds.slice(0, prompt));
    assert.equal(chosen.inputIds.length, prompt + trained(chosen));
    const end = processor.tokenizer.eosId;
    assert.deepEqual([chosen.labels.at(-1), rejected.labels.at(-1)], [end, end]);
    const supervised = encode({ conversations: [...turnsOf("the", "dog runs"), ...turnsOf("a", "the dog")] });
    const earlier = encode({ conversations: turnsOf("the", "dog runs") });
    const all = trained(chosen) + trained(earlier[0]!);
    assert.equal(trained(supervised[0]!), all, "a row that is no pair trains all answers");
  });

  test("cut at the same place on both sides where that is wanted, as long as answers have one left", () => {
    const [chosen, rejected] = encode(pair);
    const prompt = chosen!.inputIds.length - trained(chosen!);
    const cut = encode(pair, prompt + 1, true);
    assert.deepEqual(cut.map(trained), [1, 1]);
    assert.equal(cut[0]!.segments.at(-1)!.length, 1);
    assert.throws(() => encode(pair, prompt, true), {
      problem: "long",
      message: new RegExp(`^row x: its prompt alone is ${prompt} tokens; of ${prompt} none is left`),
    });
    assert.throws(() => encode(pair, rejected!.inputIds.length - 1), { problem: "long" });
  });

  test("unless its answers are equal, or one names an image", () => {
    assert.throws(() => encode({ ...pair, rejected: " the dog\n" }), {
      problem: "equal",
      message: "row x: its two answers are equal",
    });
    assert.throws(() => encode({ ...pair, rejected: "<image> the" }), { problem: "placeholders" });
  });
});

const turnsOf = (question: string, answer: string) => [
  { from: "human", value: question },
  { from: "gpt", value: answer },
];
