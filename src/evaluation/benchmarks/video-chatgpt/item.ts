import type { VideoFile } from "../../../protocol/index.ts";
import type { BenchmarkItem } from "../../benchmark.ts";

export const dimensions = ["correctness", "detail", "context", "temporal", "consistency"] as const;
export type Dimension = (typeof dimensions)[number];

export const isDimension = (name: string): name is Dimension => dimensions.some((known) => known === name);

export interface VideoChatGptItem extends BenchmarkItem {
  readonly dimension: Dimension;
  readonly question: string;
  readonly video: VideoFile;
  readonly answer: string;
  /** The same question in other words, whose answer must agree with this one's (consistency). */
  readonly paraphrase?: { readonly id: string; readonly question: string };
  /** This is such a paraphrase: it is judged with the question it goes with. */
  readonly isParaphrase?: boolean;
  readonly compat: boolean;
}

/** The id of a question's paraphrase. */
export const paraphraseOf = (id: string): string => `${id}/2`;
