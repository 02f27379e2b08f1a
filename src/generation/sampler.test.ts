import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import fixture from "../../test/fixtures/sampler/cases.json" with { type: "json" };
import type { LlavaError } from "../errors.ts";
import type { SamplingOptions } from "../protocol/index.ts";
import { type ChoiceRules, Sampler, type SamplerOptions } from "./sampler.ts";

const { log } = Math;
/** Logits whose probabilities at temperature 1 are these. */
const rowOf = (...probabilities: number[]) => Float32Array.from(probabilities, log);

function distribution(
  options: SamplingOptions,
  row: Float32Array,
  seen: number[] = [],
): Record<number, number> {
  const { ids, probabilities } = new Sampler({ temperature: 1, ...options }).distribution(row, seen);
  return Object.fromEntries([...ids].map((id, index) => [id, Number(probabilities[index]!.toFixed(6))]));
}

describe("distributions computed by hand", () => {
  const row = rowOf(0.1, 0.4, 0.2, 0.3);

  test("temperature 1/2 squares the probabilities", () => {
    const whole = 0.01 + 0.16 + 0.04 + 0.09;
    const expected = [0.01, 0.16, 0.04, 0.09].map((square) => Number((square / whole).toFixed(6)));
    assert.deepEqual(distribution({ temperature: 0.5 }, row), { ...expected });
  });

  test("top-k keeps the k likeliest, and those as likely as the k-th", () => {
    assert.deepEqual(distribution({ topK: 2 }, row), { 1: 0.571429, 3: 0.428571 });
    assert.deepEqual(distribution({ topK: 2 }, rowOf(0.25, 0.25, 0.4, 0.1)), {
      0: 0.277778,
      1: 0.277778,
      2: 0.444444,
    });
  });

  test("top-p keeps the fewest that reach the sum", () => {
    assert.deepEqual(distribution({ topP: 0.69 }, row), { 1: 0.571429, 3: 0.428571 });
    assert.deepEqual(distribution({ topP: 0.71 }, row), { 1: 0.444444, 2: 0.222222, 3: 0.333333 });
  });

  test("of equally likely tokens at the edge of the top-p set the highest ids stay", () => {
    assert.deepEqual(distribution({ topP: 0.6 }, rowOf(0.2, 0.2, 0.2, 0.4)), { 2: 0.333333, 3: 0.666667 });
  });

  test("min-p keeps those at least this fraction as likely as the likeliest", () => {
    assert.deepEqual(distribution({ minP: 0.6 }, row), { 1: 0.571429, 3: 0.428571 });
  });

  test("top-p counts among what top-k left", () => {
    assert.deepEqual(distribution({ topK: 2, topP: 0.55 }, row), { 1: 1 });
  });

  test("the penalty halves positive and doubles negative logits of seen tokens, once each", () => {
    const penalised = distribution(
      { repetitionPenalty: 2 },
      Float32Array.of(log(4), -log(2), 0),
      [0, 1, 1, 99],
    );
    assert.deepEqual(penalised, { 0: 0.615385, 1: 0.076923, 2: 0.307692 }); // 2 : 1/4 : 1
  });

  test("a token whose logit is -Infinity is never drawn", () => {
    assert.deepEqual(distribution({}, Float32Array.of(0, -Infinity, 0)), { 0: 0.5, 2: 0.5 });
  });
});

describe("the logits processors of transformers", () => {
  for (const { row, seen, options, probabilities } of fixture.cases) {
    test(`${JSON.stringify(options)}, row ${row}`, () => {
      const sampled = new Sampler(options).distribution(Float32Array.from(fixture.rows[row]!), seen);
      assert.deepEqual(
        [...sampled.ids],
        probabilities.map(([id]) => id),
      );
      for (const [index, [, expected]] of probabilities.entries()) {
        assert.ok(Math.abs(sampled.probabilities[index]! - expected!) < 1e-6);
      }
    });
  }
});

describe("choices", () => {
  test("without options the first of the largest logits is taken, and that is an argmax", () => {
    const sampler = new Sampler();
    assert.equal(sampler.choose(Float32Array.of(1, 3, 2, 3), []), 1);
    assert.equal(sampler.isArgmax, true);
  });

  test("the penalty may turn a greedy choice, which is then no plain argmax", () => {
    const sampler = new Sampler({ repetitionPenalty: 2 });
    assert.equal(sampler.choose(Float32Array.of(1, 3, 2), [1]), 2);
    assert.equal(sampler.isArgmax, false);
  });

  test("biases add to logits, penalties take from those of the answer by count and once, and what is restricted never comes", () => {
    const logits = Float32Array.of(1, 2, 3, 2.5);
    const choose = (options: SamplerOptions, rules: ChoiceRules = {}) =>
      new Sampler(options).choose(logits, [], rules);
    assert.equal(
      choose({
        logitBias: new Map([
          [0, 2.5],
          [9, 100],
        ]),
      }),
      0,
    );
    const answer = [2, 2, 3];
    assert.equal(choose({ frequencyPenalty: 0.4 }, { answer }), 2);
    assert.equal(choose({ frequencyPenalty: 0.5 }, { answer }), 1);
    assert.equal(choose({ presencePenalty: 0.9 }, { answer }), 2);
    assert.equal(choose({ presencePenalty: 1.1 }, { answer }), 1);
    const restrict = (row: Float32Array) => row.fill(-Infinity, 1);
    for (const temperature of [0, 1]) assert.equal(choose({ temperature }, { restrict }), 0);
    assert.deepEqual([...logits], [1, 2, 3, 2.5]);
    assert.equal(new Sampler({ logitBias: new Map([[1, 1]]) }).isArgmax, false);
    assert.throws(() => new Sampler({ frequencyPenalty: Number.NaN }), { code: "usage" });
  });

  test("the penalty leaves the caller's logits alone", () => {
    const row = Float32Array.of(1, 3, 2);
    new Sampler({ repetitionPenalty: 2, temperature: 1 }).choose(row, [1]);
    assert.deepEqual(row, Float32Array.of(1, 3, 2));
  });

  test("draws follow the distribution", () => {
    const sampler = new Sampler({ temperature: 1, seed: 11 });
    const counts = [0, 0, 0];
    const draws = 20_000;
    for (let draw = 0; draw < draws; draw++) counts[sampler.choose(rowOf(0.6, 0.3, 0.1), [])]!++;
    const chiSquare = [0.6, 0.3, 0.1]
      .map((p, id) => (counts[id]! - p * draws) ** 2 / (p * draws))
      .reduce((sum, term) => sum + term);
    assert.ok(chiSquare < 13.8, `χ² ${chiSquare} of 2 degrees of freedom, counts ${counts}`); // p = 0.001
  });

  test("a seed gives the same tokens each time, a state goes on, another seed differs", () => {
    const row = Float32Array.from({ length: 100 }, (_, id) => Math.sin(id));
    const draw = (sampler: Sampler, count: number) =>
      Array.from({ length: count }, () => sampler.choose(row, []));
    const first = new Sampler({ temperature: 1, seed: 3 });
    const expected = draw(new Sampler({ temperature: 1, seed: 3 }), 20);
    assert.deepEqual(draw(first, 8), expected.slice(0, 8));
    assert.deepEqual(draw(new Sampler({ temperature: 1 }, first.state), 12), expected.slice(8));
    assert.notDeepEqual(draw(new Sampler({ temperature: 1, seed: 4 }), 20), expected);
  });

  test("a logit that is not a number is an error that names the token", () => {
    for (const temperature of [0, 1]) {
      assert.throws(
        () => new Sampler({ temperature }).choose(Float32Array.of(0, Number.NaN), []),
        (error: LlavaError) => error.code === "torch" && error.message.includes("token 1"),
      );
    }
  });

  test("an option out of its range is refused by name", () => {
    const wrong: SamplingOptions[] = [
      { temperature: -1 },
      { topK: 1.5 },
      { topP: 0 },
      { topP: 1.1 },
      { minP: -0.1 },
      { repetitionPenalty: 0 },
    ];
    for (const options of wrong) {
      const [name] = Object.keys(options);
      assert.throws(
        () => new Sampler(options),
        (error: LlavaError) => error.code === "usage" && error.message.includes(name!),
      );
    }
  });
});

test("top-k and top-p by selection keep what a full sort keeps", () => {
  const logits = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      logits,
      fc.integer({ min: 1, max: 70 }),
      fc.double({ min: 0.01, max: 0.99 }),
      (eighths, topK, topP) => {
        const row = Float32Array.from(eighths, (eighth) => eighth / 8);
        const sorted = [...row.keys()].sort((a, b) => row[b]! - row[a]! || b - a);
        const ofTopK = sorted.filter((id) => topK >= row.length || row[id]! >= row[sorted[topK - 1]!]!);
        const byId = (ids: number[]) => ids.toSorted((a, b) => a - b);
        const kept = (options: SamplingOptions) => [
          ...new Sampler({ temperature: 1, ...options }).distribution(row, []).ids,
        ];
        assert.deepEqual(kept({ topK }), byId(ofTopK));

        const total = row.reduce((sum, value) => sum + Math.exp(value), 0);
        let mass = 0;
        const reached = sorted.map((id) => (mass += Math.exp(row[id]!) / total));
        fc.pre(reached.every((sum) => Math.abs(sum - topP) > 1e-9));
        assert.deepEqual(kept({ topP }), byId(sorted.slice(0, reached.findIndex((sum) => sum > topP) + 1)));
      },
    ),
  );
});
