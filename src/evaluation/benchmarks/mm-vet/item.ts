import type { BenchmarkItem } from "../../benchmark.ts";

export interface MmVetItem extends BenchmarkItem {
  readonly image: string;
  readonly question: string;
  /** Elements joined by <AND> or <OR>. */
  readonly truth: string;
}
