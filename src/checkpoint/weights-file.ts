import { LlavaError } from "../errors.ts";
import { jsonKind, KIND_BYTES, readPrefix, strayKind } from "../files/index.ts";
import { type GgufDialects, openGguf } from "./gguf/open.ts";
import { openSafetensors } from "./safetensors.ts";
import { MAX_HEADER } from "./safetensors-header.ts";
import type { TensorSource } from "./source.ts";
import { openTorchFile } from "./torch-file.ts";

/**
 * Opens a file of weights in whichever container its bytes say that it is: safetensors, torch's or GGUF. Its name decides
 * nothing, but for what a damaged file is said to have been.
 * @param dialectOf for the names in GGUF files (see `openGguf`)
 * @throws LlavaError "checkpoint" for a file that is missing, damaged, or something else: a pointer, a web page, an archive
 */
export function openWeights(path: string, dialectOf?: GgufDialects): TensorSource {
  const { bytes, fileLength } = readPrefix(path, KIND_BYTES);
  const container = containerOf(bytes);
  const kind = container === undefined ? (strayKind(bytes, fileLength) ?? jsonKind(bytes)) : undefined;
  if (kind === undefined) return (container ?? namedContainer(path))(path, dialectOf);
  throw new LlavaError("checkpoint", `${path} is ${kind.what}; expected weights`, { hint: kind.hint });
}

type Opener = (path: string, dialectOf?: GgufDialects) => TensorSource;

/** Safetensors begin with the length of a JSON object; torch's files with "PK" of a zip archive or with a pickle's opcode. */
function containerOf(bytes: Buffer): Opener | undefined {
  const magic = bytes.toString("latin1", 0, 4);
  if (magic === "GGUF") return openGguf;
  // Looked at before a pickle's opcode, which may be the first byte of a length.
  if (bytes.byteLength > 8 && bytes[8] === 0x7b && bytes.readBigUInt64LE() <= MAX_HEADER)
    return openSafetensors;
  if (magic === "PK\x03\x04" || (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5)) return openTorchFile;
  return undefined;
}

const namedContainer = (path: string): Opener =>
  /\.safetensors$/i.test(path) ? openSafetensors : /\.gguf$/i.test(path) ? openGguf : openTorchFile;
