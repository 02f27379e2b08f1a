/** Runs in a worker thread of `DecodingThread`. It decodes images, nothing else: libtorch must not come in through imports. */
import { parentPort, workerData } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import {
  type ImageLayout,
  type ImageLoadOptions,
  openImage,
  type PixelValues,
} from "../../processing/image/index.ts";
import { openProcessor, type ProcessorSource } from "../../processing/processor/index.ts";
import { digestOf } from "./digest.ts";

export interface DecodingJob {
  readonly bytes: Uint8Array;
  /** How the image is cut. */
  readonly layout: ImageLayout;
  /** Of its digest. */
  readonly salt: string;
}

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

parentPort?.on("message", async ({ id, bytes, layout, salt }: DecodingJob & { readonly id: number }) => {
  const send = (result: DecodingResult, moved: readonly ArrayBuffer[] = []) =>
    parentPort?.postMessage(result, moved);
  try {
    const opened = await openImage(bytes, images);
    const pixels = (await processor).pixels(await opened.decode(), { layout });
    send({ id, pixels, digest: digestOf(pixels, layout, salt) }, [pixels.data.buffer as ArrayBuffer]);
  } catch (error) {
    if (error instanceof LlavaError) send({ id, code: error.code, refused: error.message, hint: error.hint });
    else send({ id, failed: (error as Error).stack ?? String(error) });
  }
});
