export { check } from "./check.ts";
export { imageDataUrl } from "./data-url.ts";
export { streamJsonArray, streamJsonBatches } from "./json-array.ts";
export { readJsonDocument } from "./json-document.ts";
export { type JsonLine, readJsonLines, readLines } from "./json-lines.ts";
export { findFile, locateFile } from "./locate.ts";
export { embeddedImage, type ParquetRow, readParquet } from "./parquet.ts";
export { readTable, type TableRow } from "./table.ts";
export { type Cell, readWorkbook, writeWorkbook } from "./workbook.ts";
