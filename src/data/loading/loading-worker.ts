/**
 * Runs in a worker thread of `LoadingPool`. It loads rows and images, nothing else: libtorch must not come in through
 * imports.
 */
import { parentPort, workerData } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import type { PixelValues } from "../../processing/image/index.ts";
import { type EncodedRow, openProcessor, type ProcessorSource } from "../../processing/processor/index.ts";
import { RowError, type RowProblem } from "../../protocol/index.ts";
import { type LoadedRows, type LoadRequest, loadRows } from "./row-loader.ts";

export interface LoadingJob extends LoadRequest {
  readonly id: number;
}

/** What becomes of a job. */
export type LoadingResult = { readonly id: number } & (
  | {
      readonly rows: readonly (EncodedRow | Refusal)[];
      readonly pixels: readonly (PixelValues | Refusal)[];
      readonly shapes: LoadedRows["shapes"];
    }
  | { readonly failed: string }
);

/** A row that cannot be used, or an image that cannot be decoded: errors lose their class between threads. */
export interface Refusal {
  readonly refused: string;
  readonly problem: RowProblem | undefined;
  readonly code: LlavaError["code"];
  readonly hint: string | undefined;
}

const processor = openProcessor(workerData as ProcessorSource);
processor.catch(() => {}); // told by each job

parentPort?.on("message", async ({ id, ...request }: LoadingJob) => {
  try {
    const { rows, pixels, shapes } = await loadRows(request, await processor);
    const moved = pixels.flatMap((made) =>
      made instanceof LlavaError ? [] : [made.data.buffer as ArrayBuffer],
    );
    send({ id, rows: rows.map(withoutClass), pixels: pixels.map(withoutClass), shapes }, moved);
  } catch (error) {
    send({ id, failed: (error as Error).stack ?? String(error) });
  }
});

function withoutClass<Made>(made: Made): Exclude<Made, LlavaError> | Refusal {
  if (!(made instanceof LlavaError)) return made as Exclude<Made, LlavaError>;
  const problem = made instanceof RowError ? made.problem : undefined;
  return { refused: made.message, problem, code: made.code, hint: made.hint };
}

function send(result: LoadingResult, moved: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(result, moved);
}
