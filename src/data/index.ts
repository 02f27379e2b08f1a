export {
  type LlavaRow,
  mediumKey,
  notAPair,
  RowError,
  type RowImage,
  type RowProblem,
  type RowTurn,
  rowError,
  rowProblems,
  sidesOf,
} from "../protocol/index.ts";
export type { RowRules } from "./loading/encode-within.ts";
export { LoadingPool } from "./loading/loading-pool.ts";
export { Prefetcher } from "./loading/prefetcher.ts";
export { type LoadedRows, type LoadRequest, type RowLoader, rowLoaderHere } from "./loading/row-loader.ts";
export { layoutsOfRow, openRowMedium } from "./loading/row-media.ts";
export type { BatchSampler, Rank, RowGroup } from "./order/batch-sampler.ts";
export { PairSampler, pairGroup } from "./order/pair-sampler.ts";
export { type DrawnItem, EpochSampler, type SamplerState } from "./order/sampler.ts";
export { TableBatchSampler, type TableBatchSamplerOptions } from "./order/table-batch-sampler.ts";
export { type CheckOptions, type CheckReport, checkData, type SourceReport } from "./rows/check-data.ts";
export { type CountRowsOptions, countRows } from "./rows/count-rows.ts";
export { datasetRows } from "./rows/dataset-rows.ts";
export { type Dataset, isShard, namedDatasets, type ResponseFormat, readDatasets } from "./rows/mixture.ts";
export { type OpenRowsOptions, openRows } from "./rows/open-rows.ts";
export { type FoundRow, foundRows, RowFile, readRows } from "./rows/row-file.ts";
export { lengthOfRow } from "./rows/row-length.ts";
export { filterTable, imagesOfTable, kindOfRow, type RowTable, rowTable } from "./rows/row-table.ts";
export {
  ShardBatchSampler,
  type ShardBatchSamplerOptions,
  type ShardState,
} from "./shards/shard-batch-sampler.ts";
