import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { evaluateCaptions } from "./captions.ts";
import { captionTokens, ciderOf, DocumentFrequencies, rougeLOf } from "./metrics/index.ts";

interface Fixture {
  references: Record<string, string[]>;
  predictions: Record<string, string>;
  tokens: Record<string, string>;
  cider: number;
  ciderItems: number[];
  ciderPlain: number;
  bleu: number[];
  rougeL: number;
  rougeItems: number[];
}

const path = new URL("../../test/fixtures/captions/captions.json", import.meta.url);
const fixture: Fixture = JSON.parse(readFileSync(path, "utf8"));
const report = evaluateCaptions(
  new Map(Object.entries(fixture.predictions)),
  new Map(Object.entries(fixture.references)),
);

function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [index, value] of actual.entries()) {
    assert.ok(
      Math.abs(value - expected[index]!) < 1e-7,
      `item ${index}: ${value} instead of ${expected[index]}`,
    );
  }
}

describe("captions scored as the COCO evaluation scores them", () => {
  test("tokens are those of the Penn Treebank tokenizer without punctuation", () => {
    for (const [text, tokens] of Object.entries(fixture.tokens)) {
      assert.equal(captionTokens(text).join(" "), tokens);
    }
  });

  test("CIDEr-D, of the corpus and of each image", () => {
    assertClose([report.scores.cider], [fixture.cider]);
    assertClose(
      report.items.map((item) => item.cider),
      fixture.ciderItems,
    );
  });

  test("CIDEr without length penalty and clipping", () => {
    assertClose([report.scores.ciderPlain], [fixture.ciderPlain]);
  });

  test("BLEU-1 to BLEU-4", () => {
    const { bleu1, bleu2, bleu3, bleu4 } = report.scores;
    assertClose([bleu1, bleu2, bleu3, bleu4], fixture.bleu);
  });

  test("ROUGE-L, of the corpus and of each image", () => {
    assertClose([report.scores.rougeL], [fixture.rougeL]);
    assertClose(
      report.items.map((item) => item.rougeL),
      fixture.rougeItems,
    );
  });
});

test("an image without an answer is reported and counts in no score", () => {
  const references = new Map([...Object.entries(fixture.references), ["extra", ["A lake."]]] as [
    string,
    string[],
  ][]);
  const partial = evaluateCaptions(new Map(Object.entries(fixture.predictions)), references);
  assert.deepEqual(partial.unanswered, ["extra"]);
  assert.deepEqual(partial.scores, report.scores);
});

test("a prediction without references is refused, by name", () => {
  assert.throws(() => evaluateCaptions(new Map([["lake", "A lake."]]), new Map()), /"lake"/);
});

test("an empty prediction scores zero instead of failing", () => {
  const captions = [
    { prediction: [], references: [["a", "dog"]] },
    { prediction: ["a", "cat"], references: [["a", "cat"]] },
  ];
  const frequencies = new DocumentFrequencies(captions.map(({ references }) => references));
  assert.equal(ciderOf(captions[0]!, frequencies), 0);
  assert.equal(rougeLOf(captions[0]!), 0);
});
