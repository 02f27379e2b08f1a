export { describeBytes } from "./file-kind.ts";
export {
  describeIssues,
  type JsonObject,
  type JsonReviver,
  parseJson,
  parseJsonObject,
  readDataFile,
  readJsonFile,
} from "./json.ts";
export { streamJsonArray, streamJsonBatches } from "./json-array.ts";
export { firstLineFits, type JsonLine, readJsonLineBatches, readJsonLines, readLines } from "./json-lines.ts";
export { type JsonSpan, jsonObjects } from "./json-objects.ts";
export { countParquetRows, type ParquetRow, parquetColumns, readParquet } from "./parquet.ts";
export { readPieces } from "./read-pieces.ts";
export { jsonKind, KIND_BYTES, strayKind } from "./stray-kind.ts";
export { type ReadTarOptions, readTar, type TarMember } from "./tar.ts";
export { AtomicFile, writeAtomically } from "./write-atomically.ts";
