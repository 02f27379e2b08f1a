import { LlavaError } from "../errors.ts";
import { linesIn, readWholeLines } from "../files/index.ts";
import type { FinishReason, SamplingOptions, Usage } from "../protocol/index.ts";

/** An answer as it stands in the store. */
export interface StoredAnswer {
  /** Hash of the request, see `RequestKeys`. */
  readonly key: string;
  readonly id: string;
  readonly model: string;
  /** The model that the answer itself names, where it names one. */
  readonly served?: string;
  readonly text: string;
  readonly reason: FinishReason;
  readonly usage: Usage;
  readonly sampling: SamplingOptions;
}

/** A request that got no answer; it is asked again by the next run. */
export interface StoredFailure {
  readonly key: string;
  readonly id: string;
  readonly error: string;
  /** HTTP status, where there was one. */
  readonly status?: number | undefined;
  readonly attempts: number;
}

export type StoredRecord = StoredAnswer | StoredFailure;

/** A line of the file. `rest`: how many lines of the same batch follow. */
type Line = StoredRecord & { readonly rest?: number };

/** A batch as lines, the last with its end. */
export function linesOf(records: readonly StoredRecord[]): string {
  const last = records.length - 1;
  const lines = records.map((record, index) =>
    JSON.stringify(index < last ? { ...record, rest: last - index } : record),
  );
  return `${lines.join("\n")}\n`;
}

export interface StoredBatch {
  readonly records: readonly StoredRecord[];
  /** Where it ends in the file, in bytes. */
  readonly end: number;
}

/**
 * The complete batches of a store's file: what a kill left half written at its end is left out.
 * @throws LlavaError "data", naming file and line, for a file that cannot be read or a line that is something else
 */
export async function* readStored(path: string): AsyncGenerator<StoredBatch> {
  let offset = 0;
  let number = 0;
  let batch: StoredRecord[] = [];
  for await (const { bytes, isEnded } of readWholeLines(path))
    for (const line of isEnded ? linesIn(bytes) : []) {
      const { rest, ...record } = parseLine(line, `${path}:${++number}`);
      offset += line.length + 1;
      batch.push(record);
      if (rest !== undefined) continue;
      yield { records: batch, end: offset };
      batch = [];
    }
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function parseLine(bytes: Buffer, where: string): Line {
  try {
    const line = JSON.parse(decoder.decode(bytes));
    const isRecord = typeof line.text === "string" || typeof line.error === "string";
    if (isRecord && typeof line.key === "string" && typeof line.id === "string") return line;
  } catch {
    // told below
  }
  throw new LlavaError("data", `${where}: not a stored answer`, {
    hint: "The file is damaged or another one under its name; remove the line to have its question asked again.",
  });
}
