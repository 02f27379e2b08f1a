import type { VideoFile } from "../../../protocol/index.ts";
import type { BenchmarkItem } from "../../benchmark.ts";

/** A question about a video with one right answer of a few words. */
export interface OpenItem extends BenchmarkItem {
  /** As the dataset has it; some begin with a small letter and end without a mark. */
  readonly question: string;
  readonly video: VideoFile;
  readonly answer: string;
  /** How many types of questions come before this one's in the file. */
  readonly typesBefore: number;
  readonly compat: boolean;
}
