/** Runs in a worker thread of `PixelPool`. It loads images and nothing else: libtorch must not come in through imports. */
import { parentPort, workerData } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import type { ImageProcessorConfig, PixelValues } from "../../processing/image/index.ts";
import { loadPixels, type PixelSource } from "./pixel-loader.ts";

export interface PixelJob {
  readonly id: number;
  readonly source: PixelSource;
}

/** What becomes of a job; errors lose their class between threads. */
export type PixelResult = { readonly id: number } & (
  | { readonly pixels: PixelValues }
  | { readonly refused: { readonly message: string; readonly hint: string | undefined } }
  | { readonly failed: string }
);

const processor = workerData as ImageProcessorConfig;

parentPort?.on("message", async ({ id, source }: PixelJob) => {
  try {
    const pixels = await loadPixels(source, processor);
    if (pixels instanceof LlavaError)
      send({ id, refused: { message: pixels.message, hint: pixels.hint } }, []);
    else send({ id, pixels }, [pixels.data.buffer as ArrayBuffer]);
  } catch (error) {
    send({ id, failed: (error as Error).stack ?? String(error) }, []);
  }
});

function send(result: PixelResult, moved: readonly ArrayBuffer[]): void {
  parentPort?.postMessage(result, moved);
}
