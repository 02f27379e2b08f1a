import type { PoolItem } from "../intake/item.ts";
import type { Signature } from "../likeness/index.ts";

export interface EmbeddedImage extends Pick<PoolItem, "image" | "file"> {
  readonly signature: Signature;
}

/** Numbers of images and of texts, whose nearness is nearness in meaning. Vectors of one kind have one width. */
export interface Embedder {
  /** What decides its numbers: they are kept under this name. */
  readonly id: string;
  images(images: readonly EmbeddedImage[], signal: AbortSignal): Promise<readonly Float32Array[]>;
  texts(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]>;
}
