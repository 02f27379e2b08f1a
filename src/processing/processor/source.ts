import type { PlainChoice } from "../conversation/index.ts";
import { clipImageConfig, type FeatureGrid, type ImageProcessorConfig } from "../image/index.ts";
import { type GgufMetadata, loadTokenizer, type Tokenizer, tokenizerFromGguf } from "../tokenizer/index.ts";
import type { VideoConfig } from "../video/index.ts";

/** The folder of a tokenizer's files, with control tokens that it may lack, or what a GGUF file says of it. */
export type TokenizerSource =
  | { readonly folder: string; readonly added?: readonly string[] }
  | { readonly metadata: GgufMetadata };

/** All that a processor is made of, as plain data that other threads can be sent. */
export interface ProcessorSource {
  readonly tokenizer: TokenizerSource;
  readonly format: PlainChoice;
  readonly image: ImageProcessorConfig;
  /** What the vision tower makes of a tile. */
  readonly grid: FeatureGrid;
  /** How videos are seen; as `zeroShotVideo` has it without it. */
  readonly video?: VideoConfig;
  /** Id that stands in a prompt at each row of image features. It may also occur in text. */
  readonly imageTokenId: number;
  /** Most positions a sequence may have. */
  readonly contextLength: number;
  /** Of these, as many as there are before a linear factor divides positions; all without it. */
  readonly trainedLength?: number;
  /** Ids that end an answer by the model's files; those of the prompt format join them. */
  readonly stopIds: readonly number[];
}

/** Throws what `loadTokenizer` and `tokenizerFromGguf` throw. */
export const openTokenizer = async (source: TokenizerSource): Promise<Tokenizer> =>
  "folder" in source ? await loadTokenizer(source.folder, source.added) : tokenizerFromGguf(source.metadata);

/**
 * For rows and prompts by a tokenizer alone, without a model: images are LLaVA-1.5's but for the number of their tokens, videos
 * as such a model sees them, and a prompt may have any length.
 */
export const sourceWithoutModel = (
  tokenizer: TokenizerSource,
  format: PlainChoice,
  imageTokens: number,
): ProcessorSource => ({
  ...squareOrRow(imageTokens),
  tokenizer,
  format,
  image: clipImageConfig(336, "pad"),
  imageTokenId: -200, // the original code's, which no vocabulary has
  contextLength: Number.POSITIVE_INFINITY,
  stopIds: [],
});

/** So many tokens in a square, which frames of videos are pooled from; in one row, where they are none, unpooled. */
function squareOrRow(tokens: number): Pick<ProcessorSource, "grid"> {
  const side = Math.sqrt(tokens);
  if (Number.isInteger(side)) return { grid: { rows: side, columns: side, extra: 0 } };
  const grid = { rows: 1, columns: tokens, extra: 0 };
  return { grid };
}
