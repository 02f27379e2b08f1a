/**
 * Runs in a worker thread of `LoadingPool`. It loads images and encodes rows, nothing else: libtorch must not come in
 * through imports.
 */
import { parentPort, workerData } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import type { ImageProcessorConfig, PixelValues } from "../../processing/image/index.ts";
import type { EncodedRow } from "../../processing/processor/index.ts";
import { type LlavaRow, RowError, type RowProblem } from "../../protocol/index.ts";
import { loadPixels, type PixelSource } from "./pixel-loader.ts";
import { type EncodingSource, openEncoder, type RowEncoder } from "./row-encoder.ts";

/** What a thread is started with. */
export interface LoadingTask {
  readonly processor: ImageProcessorConfig;
  readonly encoding: EncodingSource | undefined;
}

export type LoadingJob = { readonly id: number } & (
  | { readonly image: PixelSource }
  | { readonly row: LlavaRow }
);

/** What becomes of a job; errors lose their class between threads. */
export type LoadingResult = { readonly id: number } & (
  | { readonly made: PixelValues | EncodedRow }
  | { readonly refused: Refusal }
  | { readonly failed: string }
);

/** An image that cannot be decoded, or a row that cannot be used. */
export interface Refusal {
  readonly problem: RowProblem | undefined;
  readonly message: string;
  readonly hint: string | undefined;
}

const { processor, encoding } = workerData as LoadingTask;
let encoder: Promise<RowEncoder> | undefined;

parentPort?.on("message", async (job: LoadingJob) => {
  const { id } = job;
  try {
    const made = "image" in job ? await loadPixels(job.image, processor) : await encode(job.row);
    if (made instanceof LlavaError) {
      const problem = made instanceof RowError ? made.problem : undefined;
      send({ id, refused: { problem, message: made.message, hint: made.hint } });
    } else send({ id, made }, "data" in made ? [made.data.buffer as ArrayBuffer] : []);
  } catch (error) {
    send({ id, failed: (error as Error).stack ?? String(error) });
  }
});

async function encode(row: LlavaRow): Promise<EncodedRow | RowError> {
  if (encoding === undefined) throw new Error("this thread was not told how rows are encoded");
  encoder ??= openEncoder(encoding);
  return (await encoder).encode(row);
}

function send(result: LoadingResult, moved: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(result, moved);
}
