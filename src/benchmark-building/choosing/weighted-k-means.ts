import { mixSeed, mulberry32 } from "../../random/index.ts";
import { aten, fromTyped, scope, type Tensor } from "../../torch/index.ts";

/** Points as rows of one width, one after another. */
export interface Points {
  readonly values: Float32Array;
  readonly count: number;
  readonly width: number;
}

export interface Clusters {
  /** Of each point. */
  readonly clusterOf: Int32Array;
  /** As rows. */
  readonly centers: Float64Array;
  /** Sum over points of weight times squared distance to their cluster's centre. */
  readonly objective: number;
  readonly rounds: number;
}

export interface KMeansOptions {
  readonly clusters: number;
  readonly seed: number;
  /** Seeded beginnings, of which the best end is taken; 10. */
  readonly starts?: number;
  /** 300. */
  readonly mostRounds?: number;
  /** The relative change of the objective at which a start has ended; 1e-4. */
  readonly tolerance?: number;
  readonly onRound?: () => void;
}

/**
 * Weighted k-means: minimises Σ w‖x − μ‖² by Lloyd's rounds from centres that are drawn with odds w·D² (k-means++). A cluster that
 * runs empty gets the point that costs most. The same seed gives the same clusters on a machine.
 */
export function weightedKMeans(points: Points, weights: Float64Array, options: KMeansOptions): Clusters {
  const { clusters, seed, starts = 10 } = options;
  if (clusters > points.count) throw new RangeError(`${clusters} clusters of ${points.count} points`);
  const distances = new Distances(points);
  try {
    let best: Clusters | undefined;
    for (let start = 0; start < starts; start++) {
      const random = mulberry32(mixSeed(seed, start));
      const found = lloyd(points, weights, drawn(distances, weights, clusters, random), distances, options);
      if (best === undefined || found.objective < best.objective) best = found;
    }
    return best!;
  } finally {
    distances.free();
  }
}

/** The same from given centres. */
export function kMeansFrom(
  points: Points,
  weights: Float64Array,
  centers: Float64Array,
  options: Omit<KMeansOptions, "clusters" | "seed" | "starts"> = {},
): Clusters {
  const distances = new Distances(points);
  try {
    return lloyd(points, weights, centers, distances, options);
  } finally {
    distances.free();
  }
}

/** Points whose distances to all are held at once. */
const neighboursAtOnce = 256;

/** Distances of all points to centres, by one product of matrices. */
class Distances {
  readonly points: Points;
  readonly #rows: Tensor;
  readonly #squares: Tensor;

  constructor(points: Points) {
    this.points = points;
    const { values, count, width } = points;
    this.#rows = fromTyped(values, { dtype: "float32", shape: [count, width] });
    this.#squares = scope(() => this.#rows.mul(this.#rows).sum([1], true));
  }

  /** To one centre. */
  to(center: Float64Array): Float32Array {
    return scope(() => floats(this.#squares.sub(this.#nearness(center)).clamp(0)));
  }

  /** The nearest centre of each point. */
  nearest(centers: Float64Array): Int32Array {
    const bytes = scope(() => new Uint8Array(this.#nearness(centers).argmax(1).toBytes()));
    return Int32Array.from(new BigInt64Array(bytes.buffer), Number);
  }

  /** 2xμ − μ² [points, centres]: what a squared distance is less than that of the point alone. */
  #nearness(centers: Float64Array): Tensor {
    const { width } = this.points;
    const shape = [centers.length / width, width];
    const rows = fromTyped(Float32Array.from(centers), { dtype: "float32", shape });
    return this.#rows
      .matmul(rows.transpose(0, 1))
      .mul(2)
      .sub(rows.mul(rows).sum([1]));
  }

  /** Of each point to the nearest other one; 0 where it comes twice. */
  toNeighbours(): Float32Array {
    const { count, width, values } = this.points;
    const found = new Float32Array(count);
    for (let start = 0; start < count; start += neighboursAtOnce) {
      const end = Math.min(count, start + neighboursAtOnce);
      const centers = Float64Array.from(values.subarray(start * width, end * width));
      // The nearest of all is the point itself.
      const least = scope(() =>
        floats(aten.topk(this.#squares.sub(this.#nearness(centers)).clamp(0), 2, 0, false)[0].sqrt()),
      );
      found.set(least.subarray(end - start), start);
    }
    return found;
  }

  /** Of each point to the nearest centre. */
  toNearest(centers: Float64Array): Float32Array {
    return scope(() => {
      const nearness = this.#nearness(centers).amax([1], true);
      return floats(this.#squares.sub(nearness).clamp(0).sqrt());
    });
  }

  free(): void {
    this.#rows.dispose();
    this.#squares.dispose();
  }
}

const floats = (tensor: Tensor): Float32Array => new Float32Array(new Uint8Array(tensor.toBytes()).buffer);

/**
 * What the mean distance to the nearest of `count` choices cannot fall below, whatever is chosen: a choice is at distance 0, and
 * any other point at least as far away as its nearest neighbour.
 */
export function leastMeanDistance(points: Points, count: number): number {
  const distances = new Distances(points);
  try {
    const sorted = distances.toNeighbours().sort();
    return sorted.subarray(0, points.count - count).reduce((sum, value) => sum + value, 0) / points.count;
  } finally {
    distances.free();
  }
}

/** The mean distance from points to the nearest of those at `places`. */
export function meanDistanceTo(points: Points, places: readonly number[]): number {
  const distances = new Distances(points);
  try {
    const centers = Float64Array.from(places.flatMap((place) => [...rowOf(points, place)]));
    return distances.toNearest(centers).reduce((sum, distance) => sum + distance, 0) / points.count;
  } finally {
    distances.free();
  }
}

/** The squared distance in full precision. */
export function squaredDistance(
  { values, width }: Points,
  point: number,
  centers: Float64Array,
  center: number,
): number {
  let sum = 0;
  for (let at = 0; at < width; at++)
    sum += (values[point * width + at]! - centers[center * width + at]!) ** 2;
  return sum;
}

export const rowOf = ({ values, width }: Points, point: number): Float64Array =>
  Float64Array.from(values.subarray(point * width, (point + 1) * width));

function drawn(
  distances: Distances,
  weights: Float64Array,
  clusters: number,
  random: () => number,
): Float64Array {
  const { points } = distances;
  const centers = new Float64Array(clusters * points.width);
  const least = new Float64Array(points.count).fill(Number.POSITIVE_INFINITY);
  let odds = weights;
  for (let cluster = 0; cluster < clusters; cluster++) {
    const row = rowOf(points, drawnBy(odds, random));
    centers.set(row, cluster * points.width);
    const toNew = distances.to(row);
    for (let point = 0; point < points.count; point++) least[point] = Math.min(least[point]!, toNew[point]!);
    odds = least.map((distance, point) => distance * weights[point]!);
  }
  return centers;
}

/** A place, with odds in proportion; the first where all are 0. */
function drawnBy(odds: Float64Array, random: () => number): number {
  const total = odds.reduce((sum, value) => sum + value, 0);
  let rest = random() * total;
  for (const [place, value] of odds.entries()) {
    rest -= value;
    if (rest < 0) return place;
  }
  return Math.max(
    0,
    odds.findLastIndex((value) => value > 0),
  );
}

function lloyd(
  points: Points,
  weights: Float64Array,
  begin: Float64Array,
  distances: Distances,
  { mostRounds = 300, tolerance = 1e-4, onRound }: Partial<KMeansOptions>,
): Clusters {
  let centers = begin;
  let before = Number.POSITIVE_INFINITY;
  for (let round = 1; ; round++) {
    const clusterOf = distances.nearest(centers);
    const costs = Float64Array.from(
      clusterOf,
      (cluster, point) => weights[point]! * squaredDistance(points, point, centers, cluster),
    );
    const next = means(points, weights, clusterOf, costs, centers.length / points.width);
    const objective = clusterOf.reduce(
      (sum, cluster, point) => sum + weights[point]! * squaredDistance(points, point, next, cluster),
      0,
    );
    onRound?.();
    const isOver = before - objective <= tolerance * before || round >= mostRounds;
    if (isOver && round > 1) return { clusterOf, centers: next, objective, rounds: round };
    [centers, before] = [next, objective];
  }
}

/** Weighted means of the clusters; an empty one takes the point that costs most out of another of several. */
function means(
  { values, width }: Points,
  weights: Float64Array,
  clusterOf: Int32Array,
  costs: Float64Array,
  clusters: number,
): Float64Array {
  const sizes = new Int32Array(clusters);
  for (const cluster of clusterOf) sizes[cluster] = sizes[cluster]! + 1;
  for (let cluster = 0; cluster < clusters; cluster++) {
    if (sizes[cluster]! > 0) continue;
    let most = -1;
    for (const [point, own] of clusterOf.entries())
      if (sizes[own]! > 1 && (most < 0 || costs[point]! > costs[most]!)) most = point;
    sizes[clusterOf[most]!] = sizes[clusterOf[most]!]! - 1;
    clusterOf[most] = cluster;
    costs[most] = 0;
    sizes[cluster] = 1;
  }
  const centers = new Float64Array(clusters * width);
  const totals = new Float64Array(clusters);
  for (const [point, cluster] of clusterOf.entries()) {
    totals[cluster] = totals[cluster]! + weights[point]!;
    for (let at = 0; at < width; at++)
      centers[cluster * width + at] =
        centers[cluster * width + at]! + weights[point]! * values[point * width + at]!;
  }
  return centers.map((value, at) => value / totals[Math.floor(at / width)]!);
}
