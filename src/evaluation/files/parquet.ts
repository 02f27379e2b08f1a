import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { LlavaError } from "../../errors.ts";
import { imageDataUrl } from "./data-url.ts";

export interface ParquetRow {
  readonly values: Readonly<Record<string, unknown>>;
  /** Counted from 1. */
  readonly row: number;
}

/** The rows of a parquet file (uncompressed or Snappy), a row group at a time. @throws LlavaError "data" naming the file */
export async function* readParquet(path: string): AsyncGenerator<ParquetRow> {
  let row = 0;
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    for (const group of metadata.row_groups) {
      const rowEnd = row + Number(group.num_rows);
      for (const values of await parquetReadObjects({ file, metadata, rowStart: row, rowEnd, utf8: false }))
        yield { values, row: ++row };
    }
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("data", `${path}: cannot be read as parquet: ${(cause as Error).message}`, {
      hint: "The file is damaged or not complete; fetch it again.",
      cause,
    });
  }
}

/** The image in a cell `{ bytes, path }` as a data URL; undefined for an empty cell. */
export function embeddedImage(cell: unknown): string | undefined {
  const bytes = (cell as { bytes?: unknown } | null | undefined)?.bytes;
  return bytes instanceof Uint8Array ? imageDataUrl(Buffer.from(bytes).toString("base64")) : undefined;
}
