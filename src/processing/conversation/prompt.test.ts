import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LlavaError } from "../../errors.ts";
import type { Message } from "../../protocol/index.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import {
  chatTemplate,
  ignoreLabel,
  namedTemplate,
  rawPrompt,
  templateNames,
  tokenizePrompt,
} from "./index.ts";

const fixtures = join(import.meta.dirname, "../../../test/fixtures/tokenizer");
const smollm = await loadTokenizer(join(fixtures, "smollm"));
const llama2 = await loadTokenizer(join(fixtures, "llama2"));
const images = { imageTokens: (index: number) => 2 + index, imageTokenId: 7 };
const photo = { type: "image", image: "photo.jpg" } as const;

const shown = (tokenizer: Tokenizer, ids: readonly number[]) => ids.map((id) => tokenizer.idToToken(id));

test("labels of a Vicuna conversation cover each answer and the token that ends it", () => {
  const pieces = namedTemplate("vicuna_v1").render(
    [
      { role: "user", content: [photo, { type: "text", text: "a" }] },
      { role: "assistant", content: "the dog</s>" },
      { role: "user", content: "b" },
      { role: "assistant", content: "a" },
    ],
    { addGenerationPrompt: false },
  );
  const { inputIds, labels, imagePositions, segments } = tokenizePrompt(pieces, llama2, images);

  const supervised = labels.filter((label) => label !== ignoreLabel);
  const end = llama2.eosId!;
  const turns = [
    [...llama2.encode("the dog</s>"), end],
    [...llama2.encode("a"), end],
  ];
  assert.deepEqual(supervised, turns.flat());
  assert.ok(labels.every((label, i) => label === ignoreLabel || label === inputIds[i]));
  assert.equal(inputIds[0], llama2.bosId);
  assert.equal(inputIds.filter((id) => id === llama2.bosId).length, 1);
  assert.equal(inputIds.filter((id) => id === end).length, 2);

  const [position] = imagePositions;
  assert.equal(imagePositions.length, 1);
  assert.deepEqual(inputIds.slice(position!.start, position!.start + position!.length), [7, 7]);
  assert.deepEqual(shown(llama2, inputIds.slice(position!.start + 2, position!.start + 5)), ["▁", "\n", "a"]);
  assert.deepEqual(
    segments.map(({ kind, supervised }) => `${kind}${supervised ? "*" : ""}`),
    ["text", "image", "text", "text*", "text", "text*"],
  );
  assert.equal(
    segments.reduce((sum, segment) => sum + segment.length, 0),
    inputIds.length,
  );
});

test("a space that stands alone before an answer is supervised: the prompt ends at the colon", () => {
  const turns: Message[] = [{ role: "user", content: "b" }];
  const trained = namedTemplate("vicuna_v1").render([...turns, { role: "assistant", content: "7" }], {
    addGenerationPrompt: false,
  });
  const { inputIds, labels } = tokenizePrompt(trained, llama2, images);
  const asked = tokenizePrompt(namedTemplate("vicuna_v1").render(turns), llama2, images).inputIds;
  assert.deepEqual(inputIds.slice(0, asked.length), asked);
  assert.deepEqual(labels.slice(asked.length), inputIds.slice(asked.length));
  assert.deepEqual(shown(llama2, inputIds.slice(asked.length)), ["▁", "<0x37>", "</s>"]);
});

test("turns that a template brings along are not supervised", () => {
  const trained = (name: string) =>
    namedTemplate(name)
      .render(
        [
          { role: "user", content: [photo, { type: "text", text: "b" }] },
          { role: "assistant", content: "A" },
        ],
        { addGenerationPrompt: false },
      )
      .map((piece) => ("text" in piece && piece.supervised ? piece.text : ""))
      .join("");
  assert.equal(trained("v0"), " A###");
  assert.equal(trained("v1_mmtag"), " A</s>");
});

test("merges cross the seam between template and user text", () => {
  const pieces = namedTemplate("vicuna_v1").render([{ role: "user", content: "the dog" }]);
  const text = pieces.map((piece) => ("text" in piece ? piece.text : "")).join("");
  assert.deepEqual(tokenizePrompt(pieces, smollm, images).inputIds, smollm.encode(text));
  const cut = pieces.flatMap((piece) => ("text" in piece ? smollm.encode(piece.text) : []));
  assert.notDeepEqual(cut, smollm.encode(text), "piecewise encoding would differ");
});

const slots = (images: number) => Array.from({ length: images }, () => ({ type: "image" }) as const);

test("images are numbered and counted in the order in which they stand", () => {
  const pieces = rawPrompt("a<image><image>b<image>", slots(3));
  const { inputIds, imagePositions } = tokenizePrompt(pieces, smollm, images);
  assert.deepEqual(imagePositions, [
    { image: 0, start: 1, length: 2 },
    { image: 1, start: 3, length: 3 },
    { image: 2, start: 7, length: 4 },
  ]);
  assert.deepEqual(inputIds, [...smollm.encode("a"), 7, 7, 7, 7, 7, ...smollm.encode("b"), 7, 7, 7, 7]);
});

describe("raw prompts", () => {
  test("take special strings at their word, and begin with one BOS", () => {
    for (const text of ["<s>a</s>", "a</s>"]) {
      const { inputIds } = tokenizePrompt(rawPrompt(text, []), llama2, images);
      assert.deepEqual(inputIds, [llama2.bosId, ...llama2.encode("a"), llama2.eosId]);
    }
  });

  test("with another number of images are refused with both numbers", () => {
    const refuses = (text: string, count: number, message: string) =>
      assert.throws(
        () => rawPrompt(text, slots(count)),
        (error) => error instanceof LlavaError && error.code === "prompt" && error.message === message,
      );
    refuses("<image><image>", 1, "2 <image> placeholders but 1 image");
    refuses("<image>", 0, "1 <image> placeholder but 0 images");
    refuses("Hi", 2, "0 <image> placeholders but 2 images");
  });
});

const chatMl =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const trimming =
  "{{ bos_token }}{% for message in messages %}{{ message.role.upper() + ': ' + message.content | trim + eos_token }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}";

describe("whatever people write, in every format", () => {
  const fragment = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 6 }),
    fc.constantFrom(
      "</s>",
      "<s>",
      "<|im_end|>",
      "<|im_start|>",
      "<image>",
      "<|im_",
      "end|>",
      "\uE000",
      "\uE001",
      "\u{F0041}",
      "\u{100041}",
      " ",
      "\n",
    ),
  );
  const words = fc
    .array(fragment, { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join("").toWellFormed());
  const formats = [
    ...templateNames.map((name) => namedTemplate(name)),
    { ...chatTemplate(chatMl, { tokenizer: smollm }), name: "ChatML as Jinja" },
    { ...chatTemplate(trimming, { tokenizer: smollm }), name: "trimming Jinja" },
  ];
  const specials = (tokenizer: Tokenizer, ids: readonly number[]) => {
    const special = new Set(tokenizer.specialTokens.values());
    return ids.filter((id) => special.has(id));
  };

  for (const format of formats) {
    test(`${format.name}: no special ids, no images, and the answers alone are supervised`, () => {
      fc.assert(
        fc.property(fc.array(words, { minLength: 4, maxLength: 4 }), (texts) => {
          const conversation = ([first, answer, second, last]: string[]): Message[] => [
            { role: "user", content: [photo, { type: "text", text: first! }] },
            { role: "assistant", content: answer! },
            { role: "user", content: second! },
            { role: "assistant", content: last! },
          ];
          const options = { addGenerationPrompt: false };
          const pieces = format.render(conversation(texts), options);
          const prompt = tokenizePrompt(pieces, smollm, { ...images, imageTokenId: smollm.vocabSize });
          const harmless = tokenizePrompt(
            format.render(conversation(["a", "b", "c", "d"]), options),
            smollm,
            {
              ...images,
              imageTokenId: smollm.vocabSize,
            },
          );
          assert.deepEqual(specials(smollm, prompt.inputIds), specials(smollm, harmless.inputIds));
          assert.equal(prompt.imagePositions.length, 1);

          const supervised = prompt.segments
            .filter((segment) => segment.supervised)
            .map(({ start, length }) => smollm.decode(prompt.inputIds.slice(start, start + length)).trim());
          for (const answer of [texts[1]!, texts[3]!]) {
            const said = answer.trim();
            assert.ok(
              said === "" || supervised.some((text) => text.includes(said)),
              JSON.stringify(supervised),
            );
          }
        }),
        { numRuns: 40 },
      );
    });
  }
});
