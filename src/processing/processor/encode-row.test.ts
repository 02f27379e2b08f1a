// Ids and labels of rows: npm test -- src/processing/processor/encode-row.test.ts
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { originalMasks } from "../../../test/support/original-masks.ts";
import type { LlavaRow, Message } from "../../protocol/index.ts";
import {
  ignoreLabel,
  namedTemplate,
  type PlainChoice,
  requestedFormat,
  stopIdsFor,
  templateNames,
  tokenizePrompt,
  trainingFormat,
} from "../conversation/index.ts";
import { loadTokenizer } from "../tokenizer/index.ts";
import { type EncodedRow, Processor } from "./processor.ts";
import { conversationOfRow, type TurnMarks } from "./row-prompt.ts";
import { sourceWithoutModel } from "./source.ts";
import { trainingProcessor } from "./training.ts";
import { findTurnMark } from "./turn-marks.ts";

const folder = join(import.meta.dirname, "../../../test/fixtures/tokenizer/llama2");
const tokenizer = await loadTokenizer(folder);
const processorOf = (format: PlainChoice): Processor =>
  new Processor(sourceWithoutModel({ folder }, format, 1), tokenizer);
const v1 = processorOf({ name: "v1" });
const { imageTokenId } = v1;

function encodeRow(
  row: LlavaRow,
  { processor = v1, turnMarks }: { processor?: Processor; turnMarks?: TurnMarks } = {},
): EncodedRow {
  return processor.encodeRow(
    row,
    row.images.map(() => processor.layoutOf()),
    turnMarks,
  );
}

const turnsOf = (...pairs: readonly (readonly [string, string])[]): LlavaRow["conversations"] =>
  pairs.flatMap(([question, answer]) => [
    { from: "human" as const, value: question },
    { from: "gpt" as const, value: answer },
  ]);
const text = (...pairs: readonly (readonly [string, string])[]): LlavaRow => ({
  id: "x",
  images: [],
  conversations: turnsOf(...pairs),
});
const named = (...names: readonly string[]) => names.map((name) => ({ name }));
const photo = (...pairs: readonly (readonly [string, string])[]): LlavaRow => ({
  ...text(...pairs),
  images: named("a.jpg"),
});

/** What is trained, one string for each run. */
const trained = (row: LlavaRow, more: Parameters<typeof encodeRow>[1] = {}): string[] => {
  const { inputIds, segments } = encodeRow(row, more);
  return segments
    .filter(({ supervised }) => supervised)
    .map(({ start, length }) =>
      inputIds
        .slice(start, start + length)
        .map((id) =>
          id === tokenizer.eosId ? "</s>" : Buffer.from(tokenizer.bytesOf(id)).toString("latin1"),
        )
        .join(""),
    );
};

describe("labels", () => {
  test("cover each answer with its end token and nothing else, as the original's where that is right", () => {
    const words = fc.array(
      fc.constantFrom("the", "dog", "runs", "A", "USER", ":", "12", "\n", "</s", "ASSISTANT"),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    const sentence = words.map((list) => list.join(" ").trim() || "dog");
    const pairs = fc.array(fc.tuple(sentence, sentence), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(pairs, fc.boolean(), (said, isPhoto) => {
        const [[question, answer], ...others] = said as [[string, string], ...[string, string][]];
        const row = isPhoto ? photo([`<image>\n${question}`, answer], ...others) : text(...said);
        const encoded = encodeRow(row, { turnMarks: "keep" });
        assert.deepEqual(
          trained(row, { turnMarks: "keep" }),
          said.map(([, value]) => ` ${value}</s>`),
        );
        for (const [at, label] of encoded.labels.entries())
          assert.ok(label === ignoreLabel || label === encoded.inputIds[at]);
        const original = originalMasks(row, tokenizer, imageTokenId);
        assert.deepEqual(encoded.inputIds, original.inputIds);
        if (original.mismatch === undefined) assert.deepEqual(encoded.labels, original.labels);
      }),
      { numRuns: 300 },
    );
  });

  test("are right where the original masks the whole row without a word", () => {
    const said = "the dog ASSISTANT: runs";
    const row = text(["a", said], ["the", "dog"]);
    assert.match(
      originalMasks(row, tokenizer, imageTokenId).mismatch!,
      /counts \d+ tokens where there are \d+/,
    );
    assert.throws(() => encodeRow(row), /row x: the answer in turn 2 holds "ASSISTANT:"/);
    assert.deepEqual(trained(row, { turnMarks: "keep" }), [` ${said}</s>`, " dog</s>"]);
    const ended = text(["a", "the dog</s>"]);
    assert.throws(() => encodeRow(ended), /holds "<\/s>", which marks turns in the template v1/);
    const { inputIds } = encodeRow(ended, { turnMarks: "keep" });
    assert.equal(
      inputIds.filter((id) => id === tokenizer.eosId).length,
      1,
      "text never becomes a control token",
    );
  });

  test("that train nothing are an error with the row's id", () => {
    assert.throws(() => encodeRow(text(["a", "b"]), { processor: processorOf({ chatTemplate: "a" }) }), {
      code: "data",
      message: "row x: nothing in it is trained: no answer has a token",
    });
  });
});

describe("a row", () => {
  test("with turns or placeholders out of order is refused by its id", () => {
    const [question, answer] = turnsOf(["<image>\na", "b"]);
    const refused = (row: Partial<LlavaRow>, message: string) =>
      assert.throws(() => encodeRow({ ...text(), ...row }), {
        code: "data",
        message: `row x: ${message}`,
      });
    refused({ conversations: [question!, answer!] }, "1 <image> in its text, but 0 images");
    refused({ images: named("a"), conversations: turnsOf(["a", "b"]) }, "0 <image> in its text, but 1 image");
    refused(
      { images: named("a"), conversations: turnsOf(["<image> <image>", "b"]) },
      "2 <image> in its text, but 1 image",
    );
    refused(
      { images: named("a"), conversations: [question!, question!, answer!] },
      'turn 2 is from "human", expected "gpt"',
    );
    refused({ conversations: [question!] }, "it has no question with an answer");
    refused({ conversations: [answer!] }, "it has no question with an answer");
  });

  test("asks with the system message it brings", () => {
    const shown = (row: LlavaRow): string =>
      v1.promptFormat
        .render(conversationOfRow(row), { addGenerationPrompt: false })
        .map((piece) => ("text" in piece ? piece.text : ""))
        .join("");
    const own = shown({ ...text(["the", "dog"]), system: "Be brief." });
    assert.match(own, /^Be brief\. USER: the ASSISTANT: dog/);
    assert.match(shown(text(["the", "dog"])), /^A chat between a curious user/);
  });

  test("keeps the places of several images, and puts a single one first", () => {
    const places = (row: LlavaRow) =>
      encodeRow(row).imagePositions.map(({ image, start, length }) => [image, start, length]);
    const [[image, first, one]] = places(photo(["a the <image>", "b"])) as [[number, number, number]];
    const two = places({ ...photo(["<image> a <image> the", "b"]), images: named("aa", "bbb") });
    assert.deepEqual([image, one], [0, 1]);
    assert.deepEqual(two[0], [0, first, 1]);
    assert.deepEqual([two[1]![0], two[1]![2]], [1, 1]);
    assert.ok(two[1]![1]! > first + 1);
  });
});

test("turn marks of every template are found in answers, and at the begin of words only", () => {
  const marks = new Map(templateNames.map((name) => [name, namedTemplate(name).turnMarks!]));
  assert.deepEqual(marks.get("v1"), ["</s>", "USER:", "ASSISTANT:"]);
  assert.deepEqual(marks.get("plain"), []);
  assert.deepEqual(marks.get("llava_llama_3"), ["<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]);
  assert.deepEqual(marks.get("mpt"), ["<|im_end|>", "<|im_start|>user", "<|im_start|>assistant"]);
  assert.deepEqual(namedTemplate("plain", "</s>").turnMarks, ["</s>"]);
  assert.equal(findTurnMark("SUPERUSER: a", ["USER:"]), undefined);
  assert.equal(findTurnMark("SUPERUSER: a USER: b", ["USER:"]), "USER:");
  assert.equal(findTurnMark("USER: b", ["</s>", "USER:"]), "USER:");
  assert.equal(findTurnMark("a</s>", ["</s>"]), "</s>");
});

describe("a row's prompt is what chat would send for the same conversation", () => {
  const chatTemplates = join(import.meta.dirname, "../../../test/fixtures/chat-templates");
  const jinja = readdirSync(chatTemplates)
    .filter((name) => name.endsWith(".jinja"))
    .map((name) => readFileSync(join(chatTemplates, name), "utf8"));
  /** A template of parts that breaks the line behind an image, as those of converted checkpoints do, and one of strings. */
  const others = [
    "{% for m in messages %}{{ m['role'].upper() + ': ' }}{% for p in m['content'] if p['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}{% for p in m['content'] if p['type'] == 'text' %}{{ p['text'] + ' ' }}{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
    "{% for m in messages %}{{ '[' + m['role'] + ']' + m['content'] + '</s>' }}{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}",
  ];
  const formats = [
    ...templateNames.map((name) => ({ name })),
    ...[...jinja, ...others].map((chatTemplate) => ({ chatTemplate })),
  ].map((choice) => {
    const { processor, note } = trainingProcessor(processorOf(choice));
    return { processor, format: processor.promptFormat, note };
  });
  const words = fc.array(fc.constantFrom("the", "dog", "runs", "\n", "A?"), { minLength: 1, maxLength: 5 });
  const sentence = words.map((list) => list.join(" ").trim() || "dog");
  const question = fc.tuple(sentence, fc.constantFrom("none", "front", "end", "two"));

  test("before each of its answers, in every template", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...formats),
        fc.array(fc.tuple(question, sentence), { minLength: 1, maxLength: 3 }),
        ({ processor, format }, turns) => {
          const marks = { none: "", front: "<image>\n", end: "", two: "<image>\n<image>\n" };
          const images = turns.flatMap(
            ([[, place]]) => ({ none: [], front: ["a"], end: ["b"], two: ["c", "d"] })[place],
          );
          const row: LlavaRow = {
            id: "x",
            images: named(...images),
            conversations: turnsOf(
              ...turns.map(
                ([[text, place], answer]) =>
                  [`${marks[place as "none"]}${text}${place === "end" ? "\n<image>" : ""}`, answer] as const,
              ),
            ),
          };
          const { inputIds, segments } = encodeRow(row, { processor });
          const answers = segments.filter(({ supervised }) => supervised);
          assert.equal(answers.length, turns.length);
          const said: Message[] = [];
          for (const [index, [[text, place], answer]] of turns.entries()) {
            const count = { none: 0, front: 1, end: 1, two: 2 }[place]!;
            const photos = Array.from({ length: count }, () => ({ type: "image", image: "a" }) as const);
            said.push({ role: "user", content: [...photos, { type: "text", text }] });
            const { inputIds: asked } = tokenizePrompt(format.render(said), tokenizer, {
              imageTokens: () => 1,
              imageTokenId,
            });
            assert.deepEqual(inputIds.slice(0, answers[index]!.start), asked);
            said.push({ role: "assistant", content: answer });
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test("and each answer ends where generation stops, or the format says why not", () => {
    for (const { processor, format, note } of formats) {
      const row = photo(["<image>\nthe", "dog"], ["A?", "runs"]);
      const { inputIds, segments } = encodeRow(row, { processor });
      const stopIds = stopIdsFor([], format, tokenizer);
      const ends = segments
        .filter(({ supervised }) => supervised)
        .map(({ start, length }) => inputIds[start + length - 1]!);
      const stops = ends.every((id) => stopIds.includes(id));
      assert.ok(stops || note !== undefined, format.name);
      assert.equal(ends.length, 2, format.name);
    }
  });

  test("an end token that the chat template lacks is put behind answers, and told", () => {
    const { processor, note } = trainingProcessor(processorOf({ chatTemplate: others[0] }));
    assert.match(note!, /ends answers with nothing: training puts "<\/s>" behind each/);
    assert.equal(processor.source.format.answerEnd, "</s>");
    assert.deepEqual(trained(photo(["<image>\nthe", "dog"], ["A", "runs"]), { processor }), [
      " dog</s>",
      " runs</s>",
    ]);
    assert.equal(trainingFormat({ chatTemplate: others[1] }, tokenizer, []).note, undefined);
    assert.match(
      trainingFormat({ name: "plain" }, tokenizer, []).note!,
      /plain ends answers with "\\n", where generation does not stop: set data\.answerEnd to "<\/s>"/,
    );
    assert.equal(trainingFormat({ name: "plain", answerEnd: "</s>" }, tokenizer, []).note, undefined);
    assert.match(trainingFormat({ name: "v0" }, tokenizer, []).note!, /"###", which is no token/);
    assert.throws(() => requestedFormat({ chatTemplate: "x" }, { answerEnd: "</s>" }), { code: "config" });
  });
});
