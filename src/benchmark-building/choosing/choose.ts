import { type Clusters, type Points, rowOf, squaredDistance, weightedKMeans } from "./weighted-k-means.ts";

export interface Choice {
  /** Place in the pool. */
  readonly place: number;
  /** Its cluster; undefined for one that stands in for a cluster without any that may be taken. */
  readonly cluster: number | undefined;
  /** To its cluster's centre, or to the nearest choice before it. */
  readonly distance: number;
}

export interface ChooseOptions {
  readonly points: Points;
  /** Numbers of pixels, which large images are preferred by. */
  readonly pixels: readonly number[];
  /** How ties are broken. */
  readonly ids: readonly string[];
  readonly count: number;
  readonly seed: number;
  /** Places that may not be taken: they count in the clusters all the same. */
  readonly isExcluded: (place: number) => boolean;
  readonly starts?: number | undefined;
  /** Clusters of these very points from before. */
  readonly clusters?: Clusters | undefined;
  readonly onRound?: (() => void) | undefined;
}

/** The least weight: otherwise the smallest image of a pool could never count. */
const leastWeight = 1e-3;

/** Numbers of pixels from 0 to 1, the pool's smallest and largest; 1 where all are alike. */
export function weightsOf(pixels: readonly number[]): Float64Array {
  const [least, most] = [pixels.reduce((a, b) => Math.min(a, b)), pixels.reduce((a, b) => Math.max(a, b))];
  return Float64Array.from(
    pixels,
    (count) => (most > least ? (count - least) / (most - least) : 1) + leastWeight,
  );
}

/**
 * As many clusters as choices, and of each the point nearest to its centre that may be taken, ties by weight and id. Where a cluster
 * has none, what is farthest from all choices stands in.
 */
export function choose(options: ChooseOptions): {
  readonly choices: readonly Choice[];
  readonly clusters: Clusters;
} {
  const { points, ids, count, seed, isExcluded, starts, onRound } = options;
  const weights = weightsOf(options.pixels);
  const clusters =
    options.clusters ??
    weightedKMeans(points, weights, {
      clusters: count,
      seed,
      ...(starts && { starts }),
      ...(onRound && { onRound }),
    });
  const choices: Choice[] = [];
  const members = Array.from({ length: count }, (): number[] => []);
  for (const [place, cluster] of clusters.clusterOf.entries()) members[cluster]!.push(place);
  for (const [cluster, places] of members.entries()) {
    const ranked = places
      .filter((place) => !isExcluded(place))
      .map((place) => ({
        place,
        cluster,
        distance: Math.sqrt(squaredDistance(points, place, clusters.centers, cluster)),
      }))
      .sort(
        (a, b) =>
          a.distance - b.distance ||
          weights[b.place]! - weights[a.place]! ||
          (ids[a.place]! < ids[b.place]! ? -1 : 1),
      );
    if (ranked[0] !== undefined) choices.push(ranked[0]);
  }
  const taken = new Set(choices.map(({ place }) => place));
  const rest = Array.from({ length: points.count }, (_, place) => place).filter(
    (place) => !taken.has(place) && !isExcluded(place),
  );
  const farthest = farthestFirst(points, choices, rest);
  while (choices.length < count) {
    const next = farthest.next();
    if (next.done) break;
    choices.push(next.value);
  }
  return { choices: choices.sort((a, b) => a.place - b.place), clusters };
}

function* farthestFirst(
  points: Points,
  choices: readonly Choice[],
  rest: readonly number[],
): Generator<Choice> {
  const distances = new Map(rest.map((place) => [place, distanceToNearest(points, place, choices)] as const));
  while (distances.size > 0) {
    const [place, distance] = [...distances].reduce((best, one) => (one[1] > best[1] ? one : best));
    distances.delete(place);
    yield { place, cluster: undefined, distance };
    const row = rowOf(points, place);
    for (const [other, known] of distances)
      distances.set(other, Math.min(known, Math.sqrt(squaredDistance(points, other, row, 0))));
  }
}

/** From one point to the nearest of the choices; without any, infinitely far. */
function distanceToNearest(points: Points, place: number, choices: readonly Pick<Choice, "place">[]): number {
  let least = Number.POSITIVE_INFINITY;
  const row = rowOf(points, place);
  for (const choice of choices) least = Math.min(least, squaredDistance(points, choice.place, row, 0));
  return Math.sqrt(least);
}
