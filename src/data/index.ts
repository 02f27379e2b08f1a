export {
  type LlavaRow,
  RowError,
  type RowImage,
  type RowProblem,
  type RowTurn,
  rowError,
  rowProblems,
} from "../protocol/index.ts";
export { type CheckOptions, type CheckReport, checkData, type SourceReport } from "./check-data.ts";
export { type CountRowsOptions, countRows } from "./count-rows.ts";
export { datasetRows } from "./dataset-rows.ts";
export {
  type EncodedRow,
  encodeRow,
  encodeWithin,
  messagesOfRow,
  type RowEncoding,
  type RowLimits,
} from "./encode-row.ts";
export { type CaptionRow, flickrRows } from "./flickr8k.ts";
export { LoadingPool } from "./loading/loading-pool.ts";
export { type PixelLoader, type PixelSource, pixelsHere } from "./loading/pixel-loader.ts";
export { type EncodingSource, type RowEncoder, rowsHere } from "./loading/row-encoder.ts";
export { type Dataset, isShard, type ResponseFormat, readDatasets } from "./mixture.ts";
export { type OpenRowsOptions, openRows } from "./open-rows.ts";
export type { Rank, RowDealer, RowGroup } from "./row-dealer.ts";
export { type FoundRow, foundRows, RowFile, readRows } from "./row-file.ts";
export { filterTable, imagesOfTable, type RowTable, rowTable } from "./row-table.ts";
export { lengthOfRow } from "./rows.ts";
export { type DrawnItem, EpochSampler, type SamplerState } from "./sampler.ts";
export { ShardDealer, type ShardDealerOptions, type ShardState } from "./shards/shard-dealer.ts";
export { TableDealer, type TableDealerOptions } from "./table-dealer.ts";
