import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { mulberry32, shuffled } from "../../random/index.ts";
import { choose, weightsOf } from "./choose.ts";
import {
  kMeansFrom,
  leastMeanDistance,
  meanDistanceTo,
  type Points,
  weightedKMeans,
} from "./weighted-k-means.ts";

interface Case {
  readonly width: number;
  readonly points: readonly number[];
  readonly weights: readonly number[];
  readonly begin: readonly number[];
  readonly objective: number;
  readonly labels: readonly number[];
}
const fixture = new URL("../../../test/fixtures/k-means/expected.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, "utf8")) as { cases: readonly Case[] };

const pointsOf = (values: readonly number[], width: number): Points => ({
  values: Float32Array.from(values),
  count: values.length / width,
  width,
});

/** Σ w‖x − μ‖² of the best of all ways to put points into clusters. */
function bestOfAll({ values, count, width }: Points, weights: readonly number[], clusters: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let way = 0; way < clusters ** count; way++) {
    const clusterOf = Array.from(
      { length: count },
      (_, point) => Math.floor(way / clusters ** point) % clusters,
    );
    let cost = 0;
    for (let cluster = 0; cluster < clusters; cluster++) {
      const members = [...clusterOf.keys()].filter((point) => clusterOf[point] === cluster);
      const total = members.reduce((sum, point) => sum + weights[point]!, 0);
      for (let at = 0; at < width; at++) {
        const value = (point: number): number => values[point * width + at]!;
        const mean = members.reduce((sum, point) => sum + weights[point]! * value(point), 0) / total;
        for (const point of members) cost += weights[point]! * (value(point) - mean) ** 2;
      }
    }
    best = Math.min(best, cost);
  }
  return best;
}

describe("weighted k-means", () => {
  test("ends as scikit-learn's does from the same centres", () => {
    for (const { width, points, weights, begin, objective, labels } of cases) {
      const found = kMeansFrom(
        pointsOf(points, width),
        Float64Array.from(weights),
        Float64Array.from(begin),
        {
          tolerance: 0,
        },
      );
      assert.ok(
        Math.abs(found.objective - objective) <= 1e-6 * objective,
        `${found.objective} and ${objective}`,
      );
      assert.deepEqual([...found.clusterOf], labels);
    }
  });

  test("finds what the best of all ways to cluster a few points costs", () => {
    for (let seed = 0; seed < 5; seed++) {
      const random = mulberry32(seed);
      const points = pointsOf(Array.from({ length: 18 }, random), 2);
      const weights = Array.from({ length: 9 }, () => 0.01 + random());
      const options = { clusters: 3, seed, starts: 30, tolerance: 0 };
      const { objective } = weightedKMeans(points, Float64Array.from(weights), options);
      assert.ok(Math.abs(objective - bestOfAll(points, weights, 3)) <= 1e-6);
    }
  });

  test("has no empty cluster where points come twice, and the same seed gives the same clusters", () => {
    const points = pointsOf([0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3], 2);
    const weights = new Float64Array(6).fill(1);
    const options = { clusters: 5, seed: 3 };
    const found = weightedKMeans(points, weights, options);
    assert.equal(new Set(found.clusterOf).size, 5);
    assert.equal(found.objective, 0);
    assert.deepEqual(weightedKMeans(points, weights, options), found);
    assert.throws(() => weightedKMeans(points, weights, { clusters: 7, seed: 0 }), RangeError);
  });

  test("a heavy point draws its centre to it", () => {
    const points = pointsOf([0, 1], 1);
    const { centers } = kMeansFrom(points, Float64Array.of(3, 1), Float64Array.of(0.5));
    assert.ok(Math.abs(centers[0]! - 0.25) < 1e-12);
  });
});

describe("chosen points", () => {
  // Twelve heaps of very unlike sizes, as what people ask has common subjects and rare ones.
  const random = mulberry32(4);
  const sizes = Array.from({ length: 12 }, (_, heap) => 2 ** (heap % 7) + 3);
  const centers = sizes.map(() => Array.from({ length: 6 }, () => 4 * random()));
  const points = pointsOf(
    sizes.flatMap((size, heap) =>
      Array.from({ length: size }, () => centers[heap]!.map((at) => at + random())).flat(),
    ),
    6,
  );
  const pixels = Array.from({ length: points.count }, () => 1e4 + Math.round(1e6 * random()));
  const ids = pixels.map((_, place) => String(place));
  const chosen = (excluded: ReadonlySet<number>, count = 12) =>
    choose({ points, pixels, ids, count, seed: 1, isExcluded: (place) => excluded.has(place) }).choices;

  test("stand for all others better than chance does, and are the larger ones", () => {
    const places = chosen(new Set()).map(({ place }) => place);
    assert.equal(new Set(places).size, 12);
    const draws = Array.from({ length: 20 }, (_, seed) =>
      meanDistanceTo(points, shuffled([...pixels.keys()], mulberry32(seed)).slice(0, 12)),
    );
    const byChance = draws.reduce((sum, value) => sum + value, 0) / draws.length;
    assert.ok(meanDistanceTo(points, places) <= 0.9 * byChance);
    const weights = weightsOf(pixels);
    const mean = (some: readonly number[]): number =>
      some.reduce((sum, at) => sum + weights[at]!, 0) / some.length;
    assert.ok(mean(places) > mean([...pixels.keys()]));
  });

  test("leave out what may not be taken, and stay as many, also where a whole heap may not", () => {
    const first = chosen(new Set());
    const [taken] = first;
    const others = chosen(new Set([taken!.place]));
    assert.equal(others.length, 12);
    assert.ok(others.every(({ place }) => place !== taken!.place));
    // The rest stays what it was: clusters do not change by what may be taken.
    const same = others.filter(({ place }) => first.some((one) => one.place === place));
    assert.equal(same.length, 11);
    const heap = new Set(Array.from({ length: sizes[0]! }, (_, place) => place));
    const without = chosen(heap);
    assert.equal(without.length, 12);
    assert.ok(without.every(({ place }) => !heap.has(place)));
    assert.ok(without.some(({ cluster }) => cluster === undefined));
  });
});

test("no choice comes below the least mean distance, and what lies in clumps is stood for far better than by chance", () => {
  const random = mulberry32(1);
  const few = pointsOf(Array.from({ length: 12 }, random), 2);
  const twos = [0, 1, 2, 3, 4, 5].flatMap((one) => [0, 1, 2, 3, 4, 5].map((other) => [one, other]));
  const best = Math.min(...twos.map((places) => meanDistanceTo(few, places)));
  const least = leastMeanDistance(few, 2);
  assert.ok(least > 0 && least <= best + 1e-6, `${least} and ${best}`);
  assert.equal(leastMeanDistance(pointsOf([0, 0, 0, 0, 5, 5, 5, 5], 2), 1), 0);
  const middles = Array.from({ length: 30 * 8 }, random);
  const clumps = pointsOf(
    Array.from(
      { length: 300 * 8 },
      (_, at) => middles[(Math.floor(at / 8) % 30) * 8 + (at % 8)]! + 0.05 * random(),
    ),
    8,
  );
  const count = 30;
  const { choices } = choose({
    points: clumps,
    pixels: Array(300).fill(1),
    ids: Array.from({ length: 300 }, (_, place) => String(place)),
    count,
    seed: 1,
    isExcluded: () => false,
  });
  const coverage = meanDistanceTo(
    clumps,
    choices.map(({ place }) => place),
  );
  const draws = Array.from({ length: 20 }, (_, draw) =>
    meanDistanceTo(clumps, shuffled([...Array(300).keys()], mulberry32(draw)).slice(0, count)),
  );
  assert.ok(coverage >= leastMeanDistance(clumps, count));
  assert.ok(coverage <= 0.9 * (draws.reduce((sum, one) => sum + one, 0) / draws.length));
});
