import { LlavaError } from "../errors.ts";
import { mulberry32, shuffled } from "../random/index.ts";
import { type Choice, choose, weightsOf } from "./choosing/choose.ts";
import { pointsAt } from "./choosing/points.ts";
import { type Clusters, leastMeanDistance, meanDistanceTo } from "./choosing/weighted-k-means.ts";
import type { PoolItem } from "./intake/item.ts";
import type { Survey } from "./survey.ts";

/** Questions of a benchmark's small edition, all of which the medium one has too. */
export interface Sizes {
  /** No small edition where it is left out. */
  readonly small?: number | undefined;
  readonly medium: number;
}

interface Chosen extends Choice {
  readonly item: PoolItem;
  readonly isSmall: boolean;
}

/** How well chosen questions stand for those they were chosen from. */
export interface Goodness {
  /** Mean distance of candidates to the nearest choice; of 20 random choices of as many, the mean. */
  readonly coverage: number;
  readonly randomCoverage: number;
  /** What no choice of as many could come below. */
  readonly leastCoverage: number;
  /** Mean weight by numbers of pixels. */
  readonly meanWeight: number;
  readonly candidatesMeanWeight: number;
}

export interface Selection {
  readonly chosen: readonly Chosen[];
  readonly clusters: Pick<Clusters, "objective" | "rounds">;
}

/** Chooses editions again and again from one survey: its clusters stay what they are, whatever may not be taken. */
export class Chooser {
  readonly #survey: Survey;
  readonly #sizes: Sizes;
  readonly #seed: number;
  readonly #starts: number | undefined;
  readonly #pixels: readonly number[];
  readonly #ids: readonly string[];
  #clusters: Clusters | undefined;

  constructor(
    survey: Survey,
    { sizes, seed, starts }: { sizes: Sizes; seed: number; starts?: number | undefined },
  ) {
    this.#survey = survey;
    this.#sizes = sizes;
    this.#seed = seed;
    this.#starts = starts;
    this.#pixels = survey.candidates.map(({ width, height }) => width * height);
    this.#ids = survey.candidates.map(({ id }) => id);
  }

  /** @throws LlavaError "data" where too few are left */
  choose(excluded: ReadonlySet<string>, onRound?: () => void): Selection {
    const { candidates, points, contaminated } = this.#survey;
    const isExcluded = (place: number): boolean =>
      excluded.has(this.#ids[place]!) || contaminated.has(this.#ids[place]!);
    const { medium, small } = this.#sizes;
    const left = this.#ids.filter((_, place) => !isExcluded(place)).length;
    if (left < medium)
      throw new LlavaError(
        "data",
        `${medium} questions are to be chosen, and of ${candidates.length} ${left} may be`,
        {
          hint: "Offer more questions, or ask for a smaller edition.",
        },
      );
    const common = { seed: this.#seed, starts: this.#starts, onRound };
    const { choices, clusters } = choose({
      ...common,
      points,
      pixels: this.#pixels,
      ids: this.#ids,
      count: medium,
      isExcluded,
      clusters: this.#clusters,
    });
    this.#clusters = clusters;
    const smallOnes = new Set(
      small === undefined
        ? []
        : choose({
            ...common,
            points: pointsAt(
              points,
              choices.map(({ place }) => place),
            ),
            pixels: choices.map(({ place }) => this.#pixels[place]!),
            ids: choices.map(({ place }) => this.#ids[place]!),
            count: small,
            isExcluded: () => false,
          }).choices.map(({ place }) => choices[place]!.place),
    );
    const chosen = choices.map((choice) => ({
      ...choice,
      item: candidates[choice.place]!,
      isSmall: smallOnes.has(choice.place),
    }));
    return { chosen, clusters };
  }

  goodness({ chosen }: Selection): Goodness {
    const { points } = this.#survey;
    const places = chosen.map(({ place }) => place);
    const weights = weightsOf(this.#pixels);
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    const all = [...this.#pixels.keys()];
    const draws = Array.from({ length: 20 }, (_, draw) =>
      meanDistanceTo(points, shuffled(all, mulberry32(this.#seed + draw + 1)).slice(0, places.length)),
    );
    return {
      coverage: meanDistanceTo(points, places),
      randomCoverage: mean(draws),
      leastCoverage: leastMeanDistance(points, places.length),
      meanWeight: mean(places.map((place) => weights[place]!)),
      candidatesMeanWeight: mean([...weights]),
    };
  }
}
