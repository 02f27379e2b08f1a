import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { FinishReason } from "../../protocol/index.ts";
import { mulberry32 } from "../../random/index.ts";
import { englishReader } from "../language/english-reader.ts";
import { classifyReply } from "./classify.ts";
import type { SceneItem } from "./item.ts";
import { instructionKinds, type KindName, type ReplyForm } from "./kinds.ts";
import { parseBlocks, parseStructured } from "./parse-reply.ts";
import { type ReplyClass, replyClasses } from "./reply-class.ts";

const read = englishReader();
const item: SceneItem = {
  id: "1",
  image: "1.jpg",
  captions: ["Two dogs chase a red ball on the beach.", "A brown dog and a white dog run."],
  boxes: [
    { category: "dog", corners: [0.1, 0.1, 0.4, 0.5] },
    { category: "dog", corners: [0.5, 0.1, 0.8, 0.5] },
    { category: "sports ball", corners: [0.8, 0.8, 0.9, 0.9] },
  ],
};

const usage = { promptTokens: 9, imageTokens: 0, completionTokens: 9 };

function classOf(
  text: string,
  {
    kind = "conversation",
    reason = "stop",
    form = "blocks",
    sameText = 1,
    model = "t-1",
  }: { kind?: KindName; reason?: FinishReason; form?: ReplyForm; sameText?: number; model?: string } = {},
) {
  const [chosen] = instructionKinds([kind], { form });
  return classifyReply(
    { text, reason, usage, model },
    { kind: chosen!, item, read, random: mulberry32(1), sameText, served: "t-1" },
  );
}

const one = "Question:\nWhat runs?\n===\nAnswer:\nTwo dogs run.";
const two = `${one}\n===\nQuestion:\nWhere?\n===\nAnswer:\nOn the beach.`;
const said = (answer: string): string => `Question:\nWhat is there?\n===\nAnswer:\n${answer}`;
const text20 =
  "Two dogs chase a red ball over the wet sand, and one of them is a little ahead of the other as they run along the shore.";

/** Class, number of turns, reply. */
const replies: readonly [ReplyClass, number, string, Parameters<typeof classOf>[1]?][] = [
  ["ok", 1, one],
  ["ok", 2, two],
  ["ok", 2, `${two}\n===`],
  ["ok", 2, two.replaceAll("\n", "\r\n")],
  ["ok", 2, two.replaceAll("Question:", "**Question:**").replaceAll("Answer:", "**Answer:**")],
  ["ok", 2, two.replaceAll("Question:", "**Question**:").replaceAll("Answer:", "**Answer**:")],
  ["ok", 2, two.replaceAll("Question:", "### Question 1:").replaceAll("Answer:", "### Answer 1:")],
  ["ok", 2, two.replaceAll("Question:", "1. Question:")],
  ["ok", 2, two.replaceAll("\n===", "")],
  ["ok", 2, two.replaceAll("Question:\n", "Q: ").replaceAll("Answer:\n", "A: ")],
  ["ok", 2, `Here is the conversation you asked for.\n\n${two}`],
  ["ok", 2, `${two}\n===\nThat is all there is to say.`],
  ["ok", 1, said("Two dogs.\n\nOne is brown.\n\nOne is white.")],
  ["ok", 1, said("A sign with this text:\nAnswer: forty-two")],
  ["ok", 1, said("The answer: two dogs.")],
  ["ok", 1, said("No, there is no zebra.")],
  ["ok", 1, text20, { kind: "detail" }],
  ["ok", 1, `**${text20}**`, { kind: "detail" }],
  ["ok", 1, `Question:\nWhy do they run?\n===\nAnswer:\n${text20}`, { kind: "reasoning" }],
  ["ok", 1, `Question:\nWhy?\n===\nAnswer:\n${text20} A zebra stands there.`, { kind: "reasoning" }], // flagged alone
  ["ok", 1, '{"turns":[{"question":"What?","answer":"Two dogs."}]}', { form: "json" }],
  ["ok", 1, '```json\n{"turns":[{"question":"What?","answer":"Two dogs."}]}\n```', { form: "json" }],
  ["ok", 1, JSON.stringify({ turns: [{ question: "", answer: text20 }] }), { kind: "detail", form: "json" }],
  ["trimmed", 1, `${one}\n===\nQuestion:\nWhere are`, { reason: "length" }],
  ["trimmed", 1, `${one}\n===\nQuestion:\nWhere?\n===\nAnswer:\nOn the`, { reason: "length" }],
  ["trimmed", 2, `${two}\n===\n`, { reason: "length" }],
  [
    "trimmed",
    1,
    '{"turns":[{"question":"What?","answer":"Two dogs."},{"question":"Wh',
    { form: "json", reason: "length" },
  ],
  ["truncated", 0, "Question:\nWhat ru", { reason: "length" }],
  ["truncated", 0, said("Two do"), { reason: "length" }],
  ["truncated", 0, text20, { kind: "detail", reason: "length" }],
  ["truncated", 0, "", { reason: "length" }],
  ["truncated", 0, '{"turns":[{"question":"Wh', { form: "json", reason: "length" }],
  ["empty", 0, ""],
  ["empty", 0, " \n\n "],
  ["refused", 0, "I can't help with that.", { reason: "refused" }],
  ["refused", 0, "I'm sorry, but I cannot describe this."],
  ["refused", 0, "I’m sorry, I can’t assist with this request."],
  ["refused", 0, "As an AI, I do not see photos."],
  ["filtered", 0, one, { reason: "filtered" }],
  ["filtered", 0, "", { reason: "filtered" }],
  ["no-pairs", 0, "The photo shows two dogs."],
  ["no-pairs", 0, "not json", { form: "json" }],
  ["no-pairs", 0, '{"turns":[]}', { form: "json" }],
  ["misaligned", 0, "Question:\nWhat?\n===\nQuestion:\nWhere?\n===\nAnswer:\nThere."],
  ["misaligned", 0, "Answer:\nTwo dogs."],
  ["misaligned", 0, "Question:\nWhat is there?"],
  ["misaligned", 0, `${one}\n===\nQuestion:\nWhere?`],
  ["misaligned", 0, "Question:\nWhat?\n===\nTwo dogs."],
  ["misaligned", 0, "Question:\nWhat?\n===\nAnswer:\nA.\n===\nAnswer:\nB."],
  ["misaligned", 0, "Question:\n===\nAnswer:\nTwo dogs."],
  ["misaligned", 0, `${one}\n===\nSome words.\n===\nQuestion:\nWhere?\n===\nAnswer:\nThere.`],
  ["misaligned", 0, '{"turns":[{"question":"What?","answer":""}]}', { form: "json" }],
  ["leak-source", 0, said("According to the captions, two dogs.")],
  ["leak-source", 0, said("The description provided says two dogs.")],
  ["leak-coordinates", 0, said("A dog at [0.1, 0.1, 0.4, 0.5].")],
  ["leak-coordinates", 0, said("It begins at 0.12 from the left.")],
  ["leak-markup", 0, said("Two dogs <|endoftext|>.")],
  ["leak-markup", 0, said("Two dogs in the <image>.")],
  ["leak-markup", 0, `${text20} ==== ${text20}`, { kind: "detail" }],
  ["meta", 0, "It seems that your message is empty. Please provide the text."],
  ["meta", 0, said("How can I help you today?")],
  ["repeated", 0, said("and the dog runs on and on ".repeat(9))],
  ["repeated", 0, one, { sameText: 50 }],
  ["too-short", 0, "Two dogs.", { kind: "detail" }],
  ["too-long", 0, said(Array.from({ length: 401 }, (_, i) => `word${i}`).join(" "))],
  ["wrong-language", 0, said("两只狗在沙滩上奔跑")],
  ["ungrounded", 0, said("Two dogs run, and a zebra watches them.")],
  ["served-model-changed", 0, one, { model: "t-2" }],
];

describe("a reply", () => {
  for (const [expected, turns, text, options] of replies)
    test(`is ${expected}: ${JSON.stringify(text).slice(0, 60)}${options ? ` ${JSON.stringify(options)}` : ""}`, () => {
      const found = classOf(text, options);
      assert.deepEqual([found.class, found.turns.length], [expected, turns]);
    });

  test("of any text is of one class, and reading it never fails", () => {
    const part = fc.constantFrom(
      "Question:",
      "Answer:",
      "===",
      "\n",
      "\r\n",
      "**",
      "Two dogs.",
      "{",
      '"turns"',
      "]",
      " ",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(part, { maxLength: 30 }).map((parts) => parts.join("")),
    );
    const reason = fc.constantFrom<FinishReason>("stop", "length", "filtered", "refused");
    const kind = fc.constantFrom<KindName>("conversation", "detail", "reasoning");
    const form = fc.constantFrom<ReplyForm>("blocks", "json");
    fc.assert(
      fc.property(text, reason, kind, form, (reply, reason, kind, form) => {
        const found = classOf(reply, { reason, kind, form });
        assert.ok(found.class in replyClasses);
        assert.equal(found.turns.length > 0, found.class === "ok" || found.class === "trimmed");
        for (const { answer } of found.turns) assert.notEqual(answer, "");
      }),
      { numRuns: 300 },
    );
  });

  test("that is written as told is read as it was meant, in either form", () => {
    const words = fc
      .stringMatching(/^[a-z]{1,8}( [a-z]{1,8}){0,6}\.$/)
      .filter((text) => !/^(q|a|question|answer)/.test(text));
    const turn = fc.record(
      {
        question: words,
        answer: fc.array(words, { minLength: 1, maxLength: 3 }).map((all) => all.join("\n\n")),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 5 }), (turns) => {
        const text = turns
          .map(({ question, answer }) => `Question:\n${question}\n===\nAnswer:\n${answer}`)
          .join("\n===\n");
        const blocks = parseBlocks(text);
        assert.deepEqual("turns" in blocks && blocks.turns, turns);
        const json = parseStructured(JSON.stringify({ turns }));
        assert.deepEqual("turns" in json && json.turns, turns);
      }),
    );
  });
});

test("examples of the kinds are of the class that their replies should be", () => {
  const lost = { ...item, boxes: [], captions: [] };
  for (const form of ["blocks", "json"] as const)
    for (const kind of instructionKinds(["conversation", "detail", "reasoning"], { form }))
      for (const { reply } of kind.fewShots) {
        const found = classifyReply(
          { text: reply, reason: "stop", usage },
          { kind, item: lost, read, random: mulberry32(1), sameText: 1, served: undefined },
        );
        assert.equal(found.class, "ok", `${kind.name}: ${reply}`);
      }
});
