import type { Llava } from "../models/index.ts";
import type { KeyValueCache } from "../nn/index.ts";
import { cat, inference, keep, longTensor, scope, type Tensor } from "../torch/index.ts";
import type { PaddedBatch } from "./batch.ts";
import type { Sampler } from "./sampler.ts";

/**
 * Embeddings [B, T, D] of a batch, with the features of its images in place: pixel values [N, 3, H, W] of each row that
 * has some, in the order of the rows. The caller disposes of it.
 */
export const embedPrompts = (model: Llava, batch: PaddedBatch, pixelValues: readonly Tensor[]): Tensor =>
  inference(() =>
    scope(() => {
      const images = pixelValues.length > 1 ? cat(pixelValues) : pixelValues[0];
      return keep(model.embed(batch.inputIds, images));
    }),
  );

/** Feeds columns `start` to `end` of the embedded prompts to the cache → logits [B, V] of what follows them. */
export function prefill(
  model: Llava,
  cache: KeyValueCache,
  batch: PaddedBatch,
  embeddings: Tensor,
  [start, end]: readonly [start: number, end: number],
): Tensor {
  const columns = () => embeddings.slice(1, start, end);
  return inference(() => scope(() => forward(model, cache, batch, columns(), start, end)));
}

/** Feeds one more token of each row to the cache → logits [B, V] of what follows it. */
export function decodeOne(
  model: Llava,
  cache: KeyValueCache,
  batch: PaddedBatch,
  tokenIds: readonly number[],
): Tensor {
  const { length } = cache;
  return inference(() =>
    scope(() => {
      const ids = longTensor(tokenIds, [tokenIds.length, 1]).toDevice(batch.inputIds.device);
      return forward(model, cache, batch, model.embed(ids), length, length + 1);
    }),
  );
}

function forward(
  { languageModel }: Llava,
  cache: KeyValueCache,
  batch: PaddedBatch,
  embeddings: Tensor,
  start: number,
  end: number,
): Tensor {
  const hidden = languageModel.forward(embeddings, {
    positions: batch.positions(start, end),
    attention: batch.attention(start, end),
    cache,
  });
  return keep(languageModel.logits(hidden.select(1, -1)));
}

/** A row of a batch that wants a token. */
export interface ChoosingRow {
  readonly sampler: Sampler;
  readonly isFinished: boolean;
  /** Ids of its prompt and answer. */
  seen(): Iterable<number>;
}

/** The next token of each row by its own sampler; 0, which nobody will see, for those that are finished. */
export function chooseTokens(logits: Tensor, rows: readonly ChoosingRow[]): number[] {
  return scope(() => {
    const likeliest = rows.some(({ sampler }) => sampler.isArgmax) ? logits.argmax(-1).toNumbers() : [];
    return rows.map((row, index) => {
      if (row.isFinished) return 0;
      if (row.sampler.isArgmax) return likeliest[index]!;
      return row.sampler.choose(logits.select(0, index).toFloat32Array(), row.seen());
    });
  });
}
