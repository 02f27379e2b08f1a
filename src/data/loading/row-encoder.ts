import { type OpenText, openText, type TextSource } from "../../processing/conversation/index.ts";
import { type LlavaRow, RowError } from "../../protocol/index.ts";
import { type EncodedRow, encodeWithin, type RowEncoding, type RowLimits } from "../encode-row.ts";

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

/** Encodes in this thread, with what the source's text was opened to. */
export function rowsHere(
  { imageTokens, ...source }: Omit<EncodingSource, "text">,
  { tokenizer, promptFormat }: OpenText,
): RowEncoder {
  const encoding: RowEncoding = {
    ...source,
    tokenizer,
    format: promptFormat,
    imageTokens: () => imageTokens,
  };
  return {
    isBackground: false,
    encode: async (row) => {
      try {
        return encodeWithin(row, encoding, source);
      } catch (error) {
        if (error instanceof RowError) return error;
        throw error;
      }
    },
  };
}

export const openEncoder = async (source: EncodingSource): Promise<RowEncoder> =>
  rowsHere(source, await openText(source.text));
