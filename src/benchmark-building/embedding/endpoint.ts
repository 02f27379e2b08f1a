import { setTimeout as sleep } from "node:timers/promises";
import type { EmbeddingEndpoint } from "../../client/index.ts";
import { LlavaError } from "../../errors.ts";
import { sha256 } from "../../files/index.ts";
import { type RetryOptions, retryDelay } from "../../runner/index.ts";
import { unit } from "../likeness/index.ts";
import { builtInEmbedder } from "./built-in.ts";
import type { Embedder } from "./embedder.ts";

/** Texts a request. */
const batchSize = 128;

export interface EndpointEmbedderOptions {
  /** Whether images go to the endpoint too, as messages; otherwise they are told by their looks. */
  readonly seesImages: boolean;
  readonly retry?: RetryOptions | undefined;
}

/** Embeddings by an endpoint, of length 1. */
export const endpointEmbedder = (
  endpoint: EmbeddingEndpoint,
  { seesImages, retry }: EndpointEmbedderOptions,
): Embedder => ({
  id: `${endpoint.id}${seesImages ? "" : ", images built-in"}`,
  async texts(texts, signal) {
    const vectors: Float32Array[] = [];
    for (let start = 0; start < texts.length; start += batchSize) {
      const batch = texts.slice(start, start + batchSize);
      vectors.push(...(await again(() => endpoint.texts(batch, signal), batch.join("\n"), signal, retry)));
    }
    return vectors.map(unit);
  },
  async images(images, signal) {
    if (!seesImages) return await builtInEmbedder.images(images, signal);
    const vectors: Float32Array[] = [];
    for (const { image, file } of images)
      vectors.push(unit(await again(() => endpoint.image(image, signal), file, signal, retry)));
    return vectors;
  },
});

/** Until it succeeds, or another attempt makes no sense. */
async function again<T>(
  ask: () => Promise<T>,
  what: string,
  signal: AbortSignal,
  retry: RetryOptions | undefined,
): Promise<T> {
  const key = sha256(what);
  for (let attempt = 1; ; attempt++)
    try {
      return await ask();
    } catch (error) {
      const delay =
        error instanceof LlavaError && !signal.aborted ? retryDelay(error, attempt, key, retry) : undefined;
      if (delay === undefined) throw error;
      await sleep(delay, undefined, { signal });
    }
}
