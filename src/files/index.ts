export { AtomicFile, writeAtomically, writeAtomicallyAsync } from "./atomic.ts";
export { describeBytes, imageType } from "./file-kind.ts";
export { fileGitHash, fileSha256, fileSha256Sync, sha256 } from "./hash.ts";
export {
  describeIssues,
  type JsonObject,
  parseJson,
  parseJsonObject,
  readDataFile,
  readJsonFile,
  readJsonObject,
  readJsonVerbatim,
} from "./json.ts";
export { streamJsonArray, streamJsonBatches } from "./json-array.ts";
export {
  firstLineFits,
  readJsonLineBatches,
  readJsonLines,
  readLines,
  readWholeLines,
} from "./json-lines.ts";
export { type JsonSpan, jsonObjects } from "./json-objects.ts";
export { isAlive, processMark, slowLockPatience, withLock } from "./lock.ts";
export { nativeFunctions } from "./native-functions.ts";
export { countParquetRows, type ParquetRow, parquetColumns, readParquet } from "./parquet.ts";
export { readPrefix } from "./prefix.ts";
export { isRefusal, makeFolders, refusalOf, unwritable } from "./refusals.ts";
export { readStoredZip } from "./stored-zip.ts";
export { jsonKind, KIND_BYTES, strayKind } from "./stray-kind.ts";
export { readTar, type TarMember } from "./tar.ts";
export { unreadable } from "./unreadable.ts";
export { extractZip, extractZipMember, unzippedBytes } from "./unzip.ts";
export { linesIn } from "./utf8.ts";
export { writeRows } from "./write-rows.ts";
export { type StoredEntry, storedZip } from "./write-stored-zip.ts";
export { makeFolder, writing } from "./writing.ts";
