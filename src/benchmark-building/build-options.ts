import type { Sizes } from "./editions.ts";
import type { PoolItem } from "./intake/item.ts";
import type { Teacher } from "./references.ts";
import type { Words } from "./review/decisions.ts";
import type { SurveyOptions } from "./survey.ts";

export interface BuildOptions extends Omit<SurveyOptions, "kept"> {
  /** Receives all of it; another call goes on from what lies there. */
  readonly folder: string;
  readonly sizes: Sizes;
  readonly seed: number;
  /** Beginnings of k-means; 10. */
  readonly starts?: number | undefined;
  /** Undefined where questions come with their references. */
  readonly teacher?: Teacher | undefined;
  /** Reviewers that have to decide about each question; 0 publishes what nobody has looked at. */
  readonly reviewers: number;
  /** What the benchmark's card tells besides. */
  readonly title?: string | undefined;
  readonly licence?: string | undefined;
}

/** A chosen question, and what reviewers made of it. */
export interface Standing {
  readonly id: string;
  readonly state: "kept" | "waiting" | "disputed" | "dropped";
  readonly words: Words;
}

/** A question as it is published. */
export interface PublishedItem extends Omit<PoolItem, keyof Words>, Words {
  readonly isSmall: boolean;
}
