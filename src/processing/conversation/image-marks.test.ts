import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  countImageMarks,
  imageMark,
  markedParts,
  namedTemplate,
  promptText,
  templateNames,
} from "./index.ts";

const image = (name: string) => ({ type: "image", image: name }) as const;
const text = (content: string) => ({ type: "text", text: content }) as const;

test("marks become images in order; a single one goes first, and the breaks behind marks are the formats' own", () => {
  assert.deepEqual(markedParts("What?", []), [text("What?")]);
  assert.deepEqual(markedParts("", []), []);
  for (const marked of ["<image>\nWhat?", "<image>What?", "What?\n<image>", "What?<image>\n"])
    assert.deepEqual(markedParts(marked, ["a"]), [image("a"), text("What?")]);
  assert.deepEqual(markedParts("<image>\n", ["a"]), [image("a")]);
  assert.deepEqual(markedParts("<image>\n<image>\nWhich?", ["a", "b"]), [
    image("a"),
    image("b"),
    text("Which?"),
  ]);
  assert.deepEqual(markedParts("Is <image> like <image>?", ["a", "b"]), [
    text("Is "),
    image("a"),
    text(" like "),
    image("b"),
    text("?"),
  ]);
});

test("as many marks as images, or both numbers are told", () => {
  assert.equal(countImageMarks("<image> <image>"), 2);
  assert.throws(() => markedParts("<image> <image>", ["a"]), {
    code: "prompt",
    message: "2 <image> placeholders but 1 image",
  });
  assert.throws(() => markedParts("What?", ["a"]), { message: "0 <image> placeholders but 1 image" });
});

test("a marked text and the same images beside the text make one prompt in every template", () => {
  const words = fc.constantFrom("a", "?", " ", "\n", "\n\n", "b c");
  fc.assert(
    fc.property(fc.array(words), fc.integer({ min: 0, max: 3 }), (said, count) => {
      const question = said.join("");
      const names = Array.from({ length: count }, (_, index) => String(index));
      const marks = names.map(() => `${imageMark}\n`).join("");
      // Where there are several images the white space in front of a text stands for their line breaks.
      const bare = count > 1 ? question.trimStart() : question;
      for (const name of templateNames) {
        const prompt = (content: readonly (ReturnType<typeof image> | ReturnType<typeof text>)[]) =>
          promptText(namedTemplate(name).render([{ role: "user", content }]));
        const beside = [...names.map(image), ...(bare === "" ? [] : [text(bare)])];
        assert.equal(prompt(markedParts(marks + bare, names) as never), prompt(beside), name);
      }
    }),
    { numRuns: 50 },
  );
});
