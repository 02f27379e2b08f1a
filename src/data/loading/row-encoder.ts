import type { EncodedRow } from "../../processing/processor/index.ts";
import { openProcessor, type Processor, type ProcessorSource } from "../../processing/processor/index.ts";
import { type LlavaRow, RowError } from "../../protocol/index.ts";
import { encodeWithin, type RowRules } from "./encode-within.ts";

/** Makes ids of rows, here or in other threads. */
export interface RowEncoder {
  /** Whether other threads do the work, so that it is worth asking before the ids are needed. */
  readonly isBackground: boolean;
  /** An error for a row that cannot be used; other errors are thrown. */
  encode(row: LlavaRow): Promise<EncodedRow | RowError>;
}

/** How rows become ids, as plain data. */
export interface EncodingSource {
  readonly processor: ProcessorSource;
  readonly rules: RowRules;
}

/** Encodes in this thread. */
export const rowsHere = (processor: Processor, rules: RowRules): RowEncoder => ({
  isBackground: false,
  encode: async (row) => {
    try {
      const layouts = row.images.map(() => processor.layoutOf());
      return encodeWithin(row, processor, layouts, rules);
    } catch (error) {
      if (error instanceof RowError) return error;
      throw error;
    }
  },
});

export const openEncoder = async ({ processor, rules }: EncodingSource): Promise<RowEncoder> =>
  rowsHere(await openProcessor(processor), rules);
