// Pairs and their judges: npm test -- src/datagen/preferences
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { englishReader } from "../language/english-reader.ts";
import type { AskedQuestion } from "./asked.ts";
import { biasReport } from "./bias-report.ts";
import type { Judged, JudgedSample } from "./judge.ts";
import { readJudgement, readPreference } from "./judge-prompts.ts";
import { pairUp } from "./pairs.ts";
import { namingRule } from "./rule-judge.ts";
import { givenSamples, markRepeated, wordsOf } from "./samples.ts";

const item = { id: "i", image: "i.jpg", captions: ["A dog."], boxes: [] };
const rule = { gap: 2, pairsPerQuestion: 2, pairsPerItem: 3, balance: 0.05 };

const sampleOf = (score: number | undefined, words: number, place: number): JudgedSample => ({
  model: "m",
  text: Array.from({ length: words }, (_, word) => `w${place}${word}`).join(" "),
  class: words === 0 ? "empty" : "ok",
  isRepeated: false,
  ...(score !== undefined && { judgement: { score, unsupported: [] } }),
});

test("pairs have the gap, no answer twice, sides of one length, and every question one class", () => {
  const samples = fc.array(
    fc.tuple(fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }), fc.integer({ min: 0, max: 40 })),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), samples), { maxLength: 12 }),
      (questions) => {
        const judged = questions.map(
          ([image, found], number): Judged => ({
            id: `q${number}`,
            item: { ...item, id: `i${image}` },
            question: "?",
            comparisons: [],
            samples: found.map(([score, words], place) => sampleOf(score, words, place)),
          }),
        );
        const { pairs, classes } = pairUp(judged, rule);
        assert.equal(classes.size, judged.length);
        const [used, perItem] = [new Set<JudgedSample>(), new Map<string, number>()];
        let [chosenWords, rejectedWords] = [0, 0];
        for (const { asked, chosen, rejected } of pairs) {
          assert.ok(chosen.judgement!.score - rejected.judgement!.score >= rule.gap);
          for (const sample of [chosen, rejected]) {
            assert.ok(!used.has(sample) && sample.class === "ok");
            used.add(sample);
          }
          perItem.set(asked.item.id, (perItem.get(asked.item.id) ?? 0) + 1);
          assert.equal(classes.get(asked.id), "paired");
          chosenWords += wordsOf(chosen.text);
          rejectedWords += wordsOf(rejected.text);
        }
        assert.ok([...perItem.values()].every((count) => count <= rule.pairsPerItem));
        const allowed = (rule.balance * (chosenWords + rejectedWords)) / 2;
        assert.ok(Math.abs(chosenWords - rejectedWords) <= allowed + 1e-9);
        assert.equal(new Set(pairs.map(({ id }) => id)).size, pairs.length);
      },
    ),
  );
});

test("a threshold parts good from bad, and unlike lengths are no pair", () => {
  const judged: Judged = {
    id: "q",
    item,
    question: "?",
    comparisons: [],
    samples: [sampleOf(5, 5, 0), sampleOf(4, 5, 1), sampleOf(2, 30, 2), sampleOf(2, 6, 3)],
  };
  const scoresOf = (more: object) =>
    pairUp([judged], { ...rule, balance: 9, ...more }).pairs.map(({ chosen, rejected }) => [
      chosen.judgement!.score,
      wordsOf(rejected.text),
    ]);
  assert.deepEqual(scoresOf({}), [
    [5, 6],
    [4, 30],
  ]);
  assert.deepEqual(scoresOf({ lengthGap: 3 }), [[5, 6]]);
  assert.deepEqual(scoresOf({ threshold: 5 }), [[5, 6]]);
  assert.deepEqual(scoresOf({ gap: 3, pairsPerQuestion: 1 }), [[5, 6]]);
  assert.equal(pairUp([judged], { ...rule, gap: 4 }).classes.get("q"), "no-gap");
});

describe("a judge's reply", () => {
  test("is read from JSON within other text, or from lines", () => {
    const read = (text: string) => readJudgement(text)?.score;
    assert.deepEqual(
      readJudgement('```json\n{"score": "4", "unsupported": ["a cat"], "reason": "so"}\n```'),
      {
        score: 4,
        unsupported: ["a cat"],
        reason: "so",
      },
    );
    assert.deepEqual(readJudgement("Explanation: It fits.\nScore: 3"), {
      score: 3,
      unsupported: [],
      reason: "It fits.",
    });
    assert.equal(read("**Score**: 2.5"), 2.5);
    for (const text of ["", "7", '{"score": 9}', "Score: 10", "Score: good", '{"score": '])
      assert.equal(read(text), undefined);
    assert.equal(readPreference('{"better": "tie"}'), "tie");
    assert.equal(readPreference("Better: B"), "second");
    assert.equal(readPreference("neither"), undefined);
  });
});

test("the rule of things named scores coverage, less what is invented", () => {
  const score = namingRule(englishReader());
  const asked: AskedQuestion = {
    id: "q",
    question: "What is here?",
    item: {
      ...item,
      captions: ["A dog runs on the beach.", "A brown dog near a man.", "A dog on the beach with a man."],
      boxes: [{ category: "dog", corners: [0, 0, 1, 1] }],
    },
  };
  const of = (answer: string) => score(asked, answer)!;
  assert.equal(of("A dog and a man on the beach.").score, 5);
  assert.ok(Math.abs(of("A dog runs.").score - (1 + 4 / 3)) < 1e-9);
  assert.equal(of("An animal and a person on the beach.").score, 5);
  const invented = of("A dog and a man on the beach with a red kite.");
  assert.equal(invented.score, 3);
  assert.deepEqual(invented.unsupported, ["a red kite"]);
  assert.equal(of("A horse in the snow.").score, 1);
  assert.equal(score({ ...asked, item: { ...item, captions: ["Nice."] } }, "A dog."), undefined);
});

test("equal answers count once, and cut or refused ones never", () => {
  const texts = ["A dog.", " a  dog", "A cat.", "", "I'm sorry, I cannot see it.", "A dog <image> here."];
  const samples = markRepeated(givenSamples(texts.map((text) => ({ model: "m", text }))));
  assert.deepEqual(
    samples.map(({ class: name, isRepeated }) => [name, isRepeated]),
    [
      ["ok", false],
      ["ok", true],
      ["ok", false],
      ["empty", false],
      ["refused", false],
      ["leak-markup", false],
    ],
  );
});

test("the report tells whose answers a judge prefers", () => {
  const samples = [
    { ...sampleOf(5, 4, 0), model: "judge" },
    { ...sampleOf(2, 9, 1), model: "other" },
    { ...sampleOf(2, 4, 2), model: "other" },
  ];
  const judged: Judged[] = [{ id: "q", item, question: "?", comparisons: [], samples }];
  const report = biasReport(judged, pairUp(judged, rule), {
    judge: "judge",
    models: ["judge", "other"],
    labels: [],
    gate: { longerWins: 0.75, flips: 0.3 },
    cost: 0,
  });
  assert.equal(report.judgeIsAsked, true);
  assert.deepEqual([report.ownWins?.share, report.ownWins?.of], [1, 2]);
  assert.deepEqual([report.ties?.share, report.ties?.of], [1 / 3, 3]);
  assert.deepEqual([report.longerWins?.share, report.longerWins?.of], [0, 1]);
  assert.deepEqual(report.scores, { 2: 2, 5: 1 });
});
