import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { LlavaError } from "../errors.ts";
import { fileKind } from "./file-kind.ts";
import { unpackHadoopLz4, unpackLz4 } from "./lz4.ts";

export interface ParquetRow {
  readonly values: Readonly<Record<string, unknown>>;
  /** Counted from 1. */
  readonly row: number;
}

// Snappy is hyparquet's own.
const compressors = {
  GZIP: (bytes: Uint8Array) => gunzipSync(bytes),
  BROTLI: (bytes: Uint8Array) => brotliDecompressSync(bytes),
  ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes),
  LZ4_RAW: unpackLz4,
  LZ4: unpackHadoopLz4,
};

/** The rows of a parquet file, a row group at a time in memory. @throws LlavaError "data" naming the file */
export async function* readParquet(path: string): AsyncGenerator<ParquetRow> {
  let row = 0;
  try {
    const { hyparquet, file, metadata } = await openParquet(path);
    for (const group of metadata.row_groups) {
      const range = { rowStart: row, rowEnd: row + Number(group.num_rows) };
      for (const values of await hyparquet.parquetReadObjects({
        file,
        metadata,
        compressors,
        utf8: false,
        ...range,
      }))
        yield { values, row: ++row };
    }
  } catch (cause) {
    throw await unreadable(path, cause);
  }
}

/** Names of a parquet file's columns, by its footer. @throws LlavaError "data" */
export async function parquetColumns(path: string): Promise<string[]> {
  try {
    const { hyparquet, metadata } = await openParquet(path);
    return hyparquet.parquetSchema(metadata).children.map(({ element }) => element.name);
  } catch (cause) {
    throw await unreadable(path, cause);
  }
}

/** Rows in a parquet file, by its footer. @throws LlavaError "data" */
export async function countParquetRows(path: string): Promise<number> {
  try {
    return Number((await openParquet(path)).metadata.num_rows);
  } catch (cause) {
    throw await unreadable(path, cause);
  }
}

/** The library is loaded by the first file: this folder is loaded by every command. */
async function openParquet(path: string) {
  const hyparquet = await import("hyparquet");
  const file = await hyparquet.asyncBufferFromFile(path);
  return { hyparquet, file, metadata: await hyparquet.parquetMetadataAsync(file) };
}

async function unreadable(path: string, cause: unknown): Promise<LlavaError> {
  if (cause instanceof LlavaError) return cause;
  const kind = await fileKind(path).catch(() => "a parquet file");
  if (kind !== "a parquet file")
    return new LlavaError("data", `${path}: cannot be read as parquet: it is ${kind}`, {
      hint: "Name a file by what it is, or fetch it again.",
      cause,
    });
  return new LlavaError("data", `${path}: cannot be read as parquet: ${(cause as Error).message}`, {
    hint: "The file is damaged or not complete; fetch it again.",
    cause,
  });
}
