import { type OpenedPrompt, tensorOfPixels } from "../../generation/index.ts";
import type { Llava, SegmentedForward } from "../../models/index.ts";
import type { PretrainedLlava } from "../../pretrained/index.ts";
import type { ImageLayout, ImageLoadOptions, PixelValues } from "../../processing/image/index.ts";
import { type OpenedMedium, pixelsOf } from "../../processing/processor/index.ts";
import { heldBytes, isVideo, type MediaSource } from "../../protocol/index.ts";
import { byteWidth, cat, inference, keep, rowsApart, scope, type Tensor } from "../../torch/index.ts";
import { DecodingThread } from "./decoding-thread.ts";
import type { EncodedMedium } from "./decoding-worker.ts";
import { digestOf } from "./digest.ts";
import type { VisionCache } from "./vision-cache.ts";

/** A tile on its way through the tower. */
interface TileUnderWay {
  readonly pass: SegmentedForward;
  /** What the pass began with and all that it gave so far; it goes on with the last. */
  readonly kept: Tensor[];
}

/** A medium on its way through the tower, a tile at a time. */
interface Job {
  readonly digest: string;
  readonly layout: ImageLayout;
  readonly pixels: PixelValues;
  readonly features: Tensor[];
  tile: TileUnderWay | undefined;
  readonly waiters: Set<{ resolve(tokens: Tensor): void; reject(error: unknown): void }>;
}

/** A medium as the tower is given it. */
export interface DecodedMedium {
  readonly digest: string;
  readonly layout: ImageLayout;
  readonly pixels: PixelValues;
}

/** Sees media for all requests, each once: decodes them one after another and encodes them by tiles or less between steps. */
export class Eyes implements Disposable {
  readonly #pretrained: PretrainedLlava;
  readonly #cache: VisionCache;
  readonly #thread: DecodingThread;
  readonly #jobs = new Map<string, Job>();
  /** Decoded, and neither seen nor let go. */
  readonly #held = new Set<DecodedMedium>();
  #decoding: Promise<unknown> = Promise.resolve();
  /** Media that went through the tower, and those that did not have to. */
  images = 0;
  hits = 0;

  constructor(pretrained: PretrainedLlava, cache: VisionCache, images: ImageLoadOptions) {
    this.#pretrained = pretrained;
    this.#cache = cache;
    this.#thread = new DecodingThread(pretrained.processor, images);
  }

  /** Bytes of media that are decoded and wait for the tower. */
  get bytes(): number {
    const pixels = new Set([...this.#held, ...this.#jobs.values()].map((medium) => medium.pixels));
    return [...pixels].reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  get isBusy(): boolean {
    return this.#jobs.size > 0;
  }

  /**
   * The pixels of a prompt's medium, and a digest of them, of their shape and of how the image was cut; `salt` parts those who
   * must not share. Media are decoded one after another, and held until they are seen or let go.
   * @throws what `refusal` of the prompt makes of an error
   */
  decode(
    { media, sources, refusal }: Pick<OpenedPrompt, "media" | "sources" | "refusal">,
    index: number,
    { salt, signal }: { readonly salt: string; readonly signal: AbortSignal },
  ): Promise<DecodedMedium> {
    const [medium, source] = [media[index]!, sources[index]!];
    const { layout } = medium;
    const decoded = this.#decoding.then(async () => {
      try {
        const encoded = await encodedOf(medium, source);
        const decoded: DecodedMedium =
          encoded === undefined
            ? await this.#decodeHere(medium, salt)
            : { layout, ...(await this.#thread.decode({ medium: encoded, layout, salt }, signal)) };
        this.#held.add(decoded);
        return decoded;
      } catch (error) {
        throw refusal(error, index);
      }
    });
    this.#decoding = decoded.catch(() => undefined);
    return decoded;
  }

  async #decodeHere(medium: OpenedMedium, salt: string): Promise<DecodedMedium> {
    const { layout } = medium;
    const pixels = await pixelsOf([medium], this.#pretrained.processor);
    return { pixels, layout, digest: digestOf(pixels, layout, salt) };
  }

  letGo(medium: DecodedMedium): void {
    this.#held.delete(medium);
  }

  /** Settles when the cache has what is seen of a medium, for one user more. */
  async see(medium: DecodedMedium, signal: AbortSignal): Promise<Tensor> {
    const { digest, layout, pixels } = medium;
    this.letGo(medium);
    const seen = this.#cache.take(digest);
    if (seen !== undefined) {
      this.hits++;
      return seen;
    }
    let job = this.#jobs.get(digest);
    if (job === undefined) {
      job = { digest, layout, pixels, features: [], tile: undefined, waiters: new Set() };
      this.#jobs.set(digest, job);
    } else this.hits++;
    return await this.#wait(job, signal);
  }

  async #wait(job: Job, signal: AbortSignal): Promise<Tensor> {
    const { promise, resolve, reject } = Promise.withResolvers<Tensor>();
    const waiter = { resolve, reject };
    const abort = () => {
      job.waiters.delete(waiter);
      if (job.waiters.size === 0) this.#drop(job);
      reject(signal.reason);
    };
    job.waiters.add(waiter);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /**
   * Encodes one tile of the medium that waits longest, or as many segments of the tower, one at least, as come nearest to the
   * time; nothing to do: nothing.
   */
  look(milliseconds = Infinity): void {
    const [job] = this.#jobs.values();
    if (job === undefined) return;
    const { model } = this.#pretrained;
    const end = performance.now() + milliseconds;
    try {
      inference(() =>
        rowsApart(() => {
          let [hasMore, began, now] = [true, 0, performance.now()];
          do {
            began = now;
            hasMore = scope(() => this.#encodeSegment(model, job));
            now = performance.now();
          } while (hasMore && now + (now - began) / 2 < end); // the next takes as long as the last
        }),
      );
    } catch (error) {
      this.#drop(job);
      for (const { reject } of job.waiters) reject(error);
    }
  }

  /** Whether the tile has segments left. */
  #encodeSegment(model: Llava, job: Job): boolean {
    job.tile ??= { pass: model.encodeInSegments(nextTile(job)), kept: [] };
    const { pass, kept } = job.tile;
    const reached = pass.next(kept.at(-1)!); // a generator's first is not read
    if (!reached.done) {
      const { run, input } = reached.value;
      if (kept.length === 0) kept.push(keep(input));
      kept.push(keep(run(input)));
      return true;
    }
    const features = keep(reached.value);
    job.features.push(features);
    this.#dropTile(job, features);
    if (job.features.length === job.pixels.tiles) this.#finish(model, job);
    return false;
  }

  #finish(model: Llava, job: Job): void {
    const tokens = keep(model.tokens(cat(job.features), [job.layout]).clone());
    const bytes = tokens.shape.reduce((product, length) => product * length, byteWidth[tokens.dtype]);
    this.#cache.put(job.digest, tokens, { bytes, users: job.waiters.size });
    this.images++;
    this.#drop(job);
    for (const { resolve } of job.waiters) resolve(tokens);
  }

  /** `features` outlive it, which may be what its last segment gave. */
  #dropTile(job: Job, features?: Tensor): void {
    for (const kept of job.tile?.kept ?? []) if (kept !== features) kept.dispose();
    job.tile = undefined;
  }

  #drop(job: Job): void {
    this.#jobs.delete(job.digest);
    this.#dropTile(job);
    for (const features of job.features) features.dispose();
  }

  [Symbol.dispose](): void {
    for (const job of this.#jobs.values()) this.#drop(job);
    this.#thread[Symbol.dispose]();
  }
}

function nextTile({ pixels, features }: Job): Tensor {
  const { data, tiles } = pixels;
  const size = data.length / tiles;
  const at = features.length * size;
  return tensorOfPixels({ ...pixels, tiles: 1, data: data.subarray(at, at + size) });
}

/** A medium as another thread can be given it; not so images in files, which nobody reads that serves strangers. */
async function encodedOf(medium: OpenedMedium, source: MediaSource): Promise<EncodedMedium | undefined> {
  if (!isVideo(source)) {
    const bytes = await heldBytes(source);
    return bytes && { bytes };
  }
  const { indices } = (medium as Extract<OpenedMedium, { video: unknown }>).sampled;
  if ("path" in source) return { video: source, indices };
  const frames = await Promise.all(source.frames.map(heldBytes));
  const held = frames.filter((frame) => frame !== undefined);
  return held.length === frames.length ? { video: { ...source, frames: held }, indices } : undefined;
}
