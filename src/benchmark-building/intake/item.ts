/** A question about an image that someone asked, before anything is known of the image. */
export interface Offered {
  /** Where it was read: "pool.jsonl:17". */
  readonly origin: string;
  /** Absolute. */
  readonly image: string;
  readonly question: string;
  /** An answer that came with it. */
  readonly reference?: string | undefined;
  readonly category?: string | undefined;
  /** Where it was collected. */
  readonly source?: string | undefined;
  readonly consent?: boolean | undefined;
}

/** Why an offered question is not taken in. */
export const refusals = {
  unreadable: "its image cannot be read",
  "too-small": "its image has a side of fewer than 64 pixels",
  "no-question": "it has no question",
  "no-consent": "it was given without consent",
  "several-images": "it is about several images, which the benchmark's files have no place for",
  repeated: "the same image and question came before",
} as const;
export type Refusal = keyof typeof refusals;

/** What is known of an image. */
export interface ImageFacts {
  /** Upright, in pixels. */
  readonly width: number;
  readonly height: number;
  /** SHA-256 of its file, and of its pixels at their own size. */
  readonly file: string;
  readonly pixels: string;
  /** Whether the file tells where it was taken. */
  readonly tellsPlace: boolean;
}

export interface PoolItem extends Offered, ImageFacts {
  /** By image and question, so that the same pool has the same ids wherever it lies. */
  readonly id: string;
}
