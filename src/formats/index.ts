export { describeBytes } from "./file-kind.ts";
export { type JsonSpan, jsonObjects } from "./json-objects.ts";
export { countParquetRows, type ParquetRow, parquetColumns, readParquet } from "./parquet.ts";
export { type ReadTarOptions, readTar, type TarMember } from "./tar.ts";
