// What the default model says about a photo. Skipped where its weights have not been fetched:
//   npx llava model pull llava-smol-135m
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type LocalModel, loadModel } from "../../src/index.ts";
import { defaultModel, resolveModel } from "../../src/setup/index.ts";

const found = await resolveModel(defaultModel, { offline: true }).catch(() => undefined);
const skip =
  found === undefined && `the weights are not here; fetch them: npx llava model pull ${defaultModel}`;
const soccer = fileURLToPath(new URL("../../examples/soccer.jpg", import.meta.url));
const shortly = "\nAnswer the question using a single word or phrase.";

describe("the default model", { skip }, () => {
  let model: LocalModel;
  before(async () => {
    if (!skip) model = await loadModel(defaultModel);
  });
  after(() => model?.[Symbol.dispose]());

  async function answer(question: string, asked = model): Promise<string> {
    let text = "";
    for await (const part of asked.chat(question, { images: [soccer], temperature: 0, maxTokens: 30 }))
      if (part.type === "text-delta") text += part.text;
    return text.trim();
  }

  test("answers in a sentence, or in a word where it is asked to", async () => {
    assert.match(await answer("Provide a one-sentence caption for the provided image."), /^[A-Z][^.]+\.$/);
    assert.equal(await answer(`What sport is shown in the picture?${shortly}`), "soccer");
  });

  test("says yes to what is there and no to what is not", async () => {
    assert.equal(await answer(`Is there a ball in the picture?${shortly}`), "yes");
    assert.equal(await answer(`Is there a dog in the picture?${shortly}`), "no");
  });

  test("says the same with its matrices in blocks, the file's own or made", async () => {
    const caption = "Provide a one-sentence caption for the provided image.";
    const questions = [
      `Is there a ball in the picture?${shortly}`,
      `What sport is shown in the picture?${shortly}`,
      `Is there a dog in the picture?${shortly}`,
    ];
    const expected = await Promise.all(questions.map((question) => answer(question)));
    const wordsOf = (text: string) => new Set(text.toLowerCase().match(/\p{L}+/gu));
    const told = wordsOf(await answer(caption));
    for (const weights of ["stored", "int8", "int4"] as const) {
      const lines: string[] = [];
      using kept = await loadModel(defaultModel, { weights, report: (line) => lines.push(line) });
      assert.match(
        lines.join("\n"),
        /^matrices of the language model: .*(?:1 in Q8_0; 210 in Q4_1|211 in Q8_0)/m,
      );
      for (const [i, question] of questions.entries())
        assert.equal(await answer(question, kept), expected[i], `${weights}: ${question}`);
      // Where two words are nearly as likely, processors that compute in bfloat16 turn to one or the other.
      const words = wordsOf(await answer(caption, kept));
      const shared = [...words].filter((word) => told.has(word)).length / new Set([...words, ...told]).size;
      assert.ok(shared >= 0.7, `${weights}: ${[...words].join(" ")}, beside ${[...told].join(" ")}`);
    }
    await assert.rejects(loadModel(defaultModel, { weights: "int2" as "int4" }), {
      code: "usage",
      message: /weights are "int2"; expected one of stored, bf16, int8, int4/,
    });
  });
});
