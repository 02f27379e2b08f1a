import { openText, type TextSource } from "../../processing/conversation/index.ts";
import { type EncodedRow, encodeWithin, type RowEncoding, type RowLimits } from "../encode-row.ts";
import { type LlavaRow, RowError } from "../rows.ts";

/** Makes ids of rows, here or in other threads. */
export interface RowEncoder {
  /** Whether other threads do the work, so that it is worth asking before the ids are needed. */
  readonly isBackground: boolean;
  /** An error for a row that cannot be used; other errors are thrown. */
  encode(row: LlavaRow): Promise<EncodedRow | RowError>;
}

/** How rows become ids, as plain data. */
export interface EncodingSource extends RowLimits, Pick<RowEncoding, "imageTokenId" | "turnMarks"> {
  readonly text: TextSource;
  /** Feature rows of every image. */
  readonly imageTokens: number;
}

/** Encodes in this thread. */
export function rowsHere(encoding: RowEncoding, limits: RowLimits): RowEncoder {
  return {
    isBackground: false,
    encode: async (row) => {
      try {
        return encodeWithin(row, encoding, limits);
      } catch (error) {
        if (error instanceof RowError) return error;
        throw error;
      }
    },
  };
}

export async function openEncoder({ text, imageTokens, ...source }: EncodingSource): Promise<RowEncoder> {
  const { tokenizer, promptFormat } = await openText(text);
  return rowsHere({ ...source, tokenizer, format: promptFormat, imageTokens: () => imageTokens }, source);
}
