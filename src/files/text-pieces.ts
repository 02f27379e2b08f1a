import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { LlavaError } from "../errors.ts";
import { describeBytes, kindBytes, readHead } from "./file-kind.ts";
import { unreadable } from "./unreadable.ts";

export interface TextPieces {
  /** Whether the file's bytes are those of the pieces, so that a place in the text is one in the file. */
  readonly isVerbatim: boolean;
  readonly pieces: AsyncIterable<Buffer>;
}

/**
 * A file of text as pieces in UTF-8: as it lies there, out of gzip or zstd, or from UTF-16.
 * @throws LlavaError "data" for what its first bytes show to be something else, naming it
 */
export async function openTextPieces(path: string, pieceSize: number): Promise<TextPieces> {
  const head = await readHead(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  const kind = describeBytes(head);
  const unpacker =
    kind === "a gzip archive"
      ? createGunzip()
      : kind === "a zstd archive"
        ? createZstdDecompress()
        : undefined;
  const file = createReadStream(path, { highWaterMark: pieceSize });
  if (unpacker !== undefined) {
    file.on("error", (error) => unpacker.destroy(error));
    return { isVerbatim: false, pieces: ofText(file.pipe(unpacker), path, "holds") };
  }
  const encoding = utf16Of(head);
  if (encoding !== undefined) return { isVerbatim: false, pieces: transcoded(file, encoding) };
  return { isVerbatim: true, pieces: ofText(file, path, "is") };
}

/** By a mark at the begin, or by the zero beside the first bracket. */
function utf16Of(head: Buffer): "utf-16le" | "utf-16be" | undefined {
  const first = head.subarray(0, 2).toString("latin1");
  if (first === "\xff\xfe" || first === "[\0" || first === "{\0") return "utf-16le";
  if (first === "\xfe\xff" || first === "\0[" || first === "\0{") return "utf-16be";
  return undefined;
}

async function* transcoded(file: Readable, encoding: string): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(encoding);
  for await (const piece of file) yield Buffer.from(decoder.decode(piece as Buffer, { stream: true }));
  yield Buffer.from(decoder.decode());
}

async function* ofText(stream: Readable, path: string, verb: "is" | "holds"): AsyncGenerator<Buffer> {
  let isFirst = true;
  for await (const piece of stream) {
    if (isFirst) requireText(piece as Buffer, path, verb);
    isFirst = false;
    yield piece as Buffer;
  }
}

function requireText(head: Buffer, path: string, verb: "is" | "holds"): void {
  const kind = describeBytes(head);
  if (/^(JSON text|text that starts)/.test(kind)) return;
  if (kind.startsWith("binary data") && !head.subarray(0, kindBytes).includes(0)) return;
  const hint =
    kind === "a parquet file" || kind === "a tar archive"
      ? `Name it .${kind.split(" ")[1]}${verb === "holds" ? ", unpacked" : ""}, so that it is read as a shard.`
      : / archive$/.test(kind)
        ? "Unpack it first; rows may also be packed by gzip or zstd."
        : kind.startsWith("a Git LFS")
          ? "Fetch the file itself: git lfs pull."
          : "Rows are a JSON array, or JSON with one row a line.";
  throw new LlavaError("data", `${path}: ${verb} ${kind}, expected rows as JSON`, { hint });
}
