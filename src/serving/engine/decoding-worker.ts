/** Runs in a worker thread of `DecodingThread`. It decodes media, nothing else: libtorch must not come in through imports. */
import { parentPort, workerData } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import {
  type ImageLayout,
  type ImageLoadOptions,
  openImage,
  type PixelValues,
} from "../../processing/image/index.ts";
import { openProcessor, type ProcessorSource, videoPixels } from "../../processing/processor/index.ts";
import { openVideo } from "../../processing/video/index.ts";
import type { VideoSource } from "../../protocol/index.ts";
import { digestOf } from "./digest.ts";

/** An encoded image, or frames of a video by their indices. */
export type EncodedMedium =
  | { readonly bytes: Uint8Array }
  | { readonly video: VideoSource; readonly indices: readonly number[] };

export interface DecodingJob {
  readonly medium: EncodedMedium;
  /** How it is cut. */
  readonly layout: ImageLayout;
  /** Of its digest. */
  readonly salt: string;
}

/** What the thread is told: a job, or that nobody wants one's result any more. */
export type DecodingOrder =
  | ({ readonly id: number } & DecodingJob)
  | { readonly id: number; readonly isGivenUp: true };

export interface DecodingData {
  readonly processor: ProcessorSource;
  readonly images: ImageLoadOptions;
}

/** What becomes of a job. Errors lose their class between threads. */
export type DecodingResult = { readonly id: number } & (
  | { readonly pixels: PixelValues; readonly digest: string }
  | { readonly code: LlavaError["code"]; readonly refused: string; readonly hint: string | undefined }
  | { readonly failed: string }
);

const { processor: source, images } = workerData as DecodingData;
const processor = openProcessor(source);
processor.catch(() => {}); // told by each job

const underWay = new Map<number, AbortController>();

parentPort?.on("message", async (order: DecodingOrder) => {
  const { id } = order;
  if ("isGivenUp" in order) return void underWay.get(id)?.abort();
  const abort = new AbortController();
  underWay.set(id, abort);
  const send = (result: DecodingResult, moved: readonly ArrayBuffer[] = []) =>
    parentPort?.postMessage(result, moved);
  try {
    const { medium, layout, salt } = order;
    const pixels = await decoded(medium, layout, abort.signal);
    send({ id, pixels, digest: digestOf(pixels, layout, salt) }, [pixels.data.buffer as ArrayBuffer]);
  } catch (error) {
    if (error instanceof LlavaError) send({ id, code: error.code, refused: error.message, hint: error.hint });
    else send({ id, failed: (error as Error).stack ?? String(error) });
  } finally {
    underWay.delete(id);
  }
});

async function decoded(
  medium: EncodedMedium,
  layout: ImageLayout,
  signal: AbortSignal,
): Promise<PixelValues> {
  if ("bytes" in medium) {
    const opened = await openImage(medium.bytes, images);
    return (await processor).pixels(await opened.decode(), { layout });
  }
  const { maxPixels } = images;
  const video = await openVideo(medium.video, {
    signal,
    isApart: true,
    ...(maxPixels !== undefined && { maxPixels }),
  });
  return await videoPixels(video, medium, await processor);
}
