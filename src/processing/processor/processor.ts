import { LlavaError } from "../../errors.ts";
import { type LlavaRow, mediumKey } from "../../protocol/index.ts";
import {
  choosePromptFormat,
  jinjaOfChoice,
  type PromptFormat,
  type PromptPiece,
  stopIdsFor,
  type TokenizedPrompt,
  tokenizePrompt,
} from "../conversation/index.ts";
import {
  type FeatureGrid,
  type FramesLayout,
  type ImageLayout,
  type ImageProcessorConfig,
  type ImageSize,
  layoutOf,
  layoutsOf,
  type PixelValues,
  preprocess,
  preprocessMirrored,
  type RgbImage,
  tokensOf,
} from "../image/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import {
  type AskedFrames,
  type FrameTimes,
  type SampledFrames,
  sampleFrames,
  type VideoConfig,
  withFrames,
  zeroShotVideo,
} from "../video/index.ts";
import { requireTrained, rowPieces, type TurnMarks } from "./row-prompt.ts";
import { openTokenizer, type ProcessorSource } from "./source.ts";

/** How an image is seen. */
export interface ImageView {
  /** The one that it has in its prompt; that of an image alone without it. */
  readonly layout?: ImageLayout | undefined;
  readonly mirrored?: boolean;
}

/** What of an image or a video decides how it is seen, before its pixels are decoded. */
export interface MediumShape {
  /** Upright; undefined where nobody looked. */
  readonly size: ImageSize | undefined;
  readonly isVideo?: true;
  /** Of an image whose overview is enough. */
  readonly detail?: "low" | undefined;
  /** The frames that are seen of a video. */
  readonly sampled?: SampledFrames;
}

/** A row as the model sees it. */
export interface EncodedRow extends TokenizedPrompt {
  readonly id: string;
  /** Keys of its images and videos (`mediumKey`), in order of appearance. */
  readonly images: readonly string[];
  /** How each was cut into tiles. */
  readonly layouts: readonly ImageLayout[];
}

/**
 * A model without its weights: what turns conversations, rows and images into the model's inputs. It is made of
 * configuration and tokenizer files alone.
 */
export class Processor {
  /** What it was made of: another thread makes the same of it. */
  readonly source: ProcessorSource;
  readonly tokenizer: Tokenizer;
  readonly promptFormat: PromptFormat;
  readonly imageConfig: ImageProcessorConfig;
  /** The feature rows of a tile. */
  readonly grid: FeatureGrid;
  readonly videoConfig: VideoConfig;
  readonly imageTokenId: number;
  /** Most positions a sequence may have. */
  readonly contextLength: number;
  /** Of these, as many as there are before a linear factor divides positions. */
  readonly trainedLength: number;
  /** Ids that end an answer (see `stopIdsFor`). */
  readonly stopIds: readonly number[];
  readonly #frameConfig: ImageProcessorConfig;

  /** `tokenizer` is what `source.tokenizer` tells of. */
  constructor(source: ProcessorSource, tokenizer: Tokenizer) {
    this.source = source;
    this.tokenizer = tokenizer;
    this.promptFormat = choosePromptFormat({ ...source.format, tokenizer });
    this.imageConfig = source.image;
    this.grid = source.grid;
    this.videoConfig = source.video ?? zeroShotVideo(source.grid);
    const { tiling: _, ...whole } = source.image;
    this.#frameConfig = this.videoConfig.frames ?? { ...whole, aspect: "square" };
    this.imageTokenId = source.imageTokenId;
    this.contextLength = source.contextLength;
    this.trainedLength = source.trainedLength ?? source.contextLength;
    this.stopIds = stopIdsFor(source.stopIds, this.promptFormat, tokenizer);
  }

  /** The prompt format as a chat template in Jinja. */
  get chatTemplate(): string {
    return jinjaOfChoice({ ...this.source.format, tokenizer: this.tokenizer });
  }

  /** How an image of a size is seen; the size may be left out where every image is seen as a whole. */
  layoutOf(size?: ImageSize): ImageLayout {
    return layoutOf(size, this.imageConfig);
  }

  /** How the images and videos of a prompt are seen, in order. */
  mediaLayouts(media: readonly MediumShape[]): ImageLayout[] {
    const images = media.filter(({ isVideo }) => !isVideo);
    const sizes = images.map(({ size }) => size);
    const layouts = layoutsOf(sizes, this.imageConfig, (index) => images[index]!.detail === "low");
    return media.map((medium) => (medium.isVideo ? this.#framesLayout(medium) : layouts.shift()!));
  }

  /** @throws LlavaError "video" where nobody looked at the video */
  #framesLayout({ size, sampled }: MediumShape): FramesLayout {
    if (size === undefined || sampled === undefined)
      throw new LlavaError(
        "video",
        "how many tokens a video takes depends on its frames, which nobody looked at",
        {
          hint: "Say where the videos are.",
        },
      );
    const { pooling, newlines, timeInstruction } = this.videoConfig;
    const { indices, times, duration } = sampled;
    const shown = timeInstruction ? { shown: { times, duration } } : {};
    return { tiles: "frames", size, frames: indices.length, pooling, newlines, ...shown };
  }

  /** Which frames of a video are seen, by the model's rule or with what is asked for in its place. */
  sampleFrames(video: FrameTimes, asked: AskedFrames = {}): SampledFrames {
    const sampled = sampleFrames(withFrames(this.videoConfig.sampling, asked), video);
    const most = Math.min(asked.most ?? Number.POSITIVE_INFINITY, video.times.length);
    if (asked.most === undefined || sampled.indices.length <= most) return sampled;
    return sampleFrames({ rule: "uniform", frames: most }, video);
  }

  /** How the images of a prompt are seen, in order: some models see several otherwise than a single one. */
  layoutsOf(sizes: readonly (ImageSize | undefined)[]): ImageLayout[] {
    return layoutsOf(sizes, this.imageConfig);
  }

  /** Ids of a rendered prompt; `layouts` are those of its images, in order. */
  encodePrompt(pieces: readonly PromptPiece[], layouts: readonly ImageLayout[]): TokenizedPrompt {
    return tokenizePrompt(pieces, this.tokenizer, {
      imageTokens: (index) => tokensOf(layouts[index]!, this.grid),
      imageTokenId: this.imageTokenId,
    });
  }

  /**
   * Ids and labels of a row, grown together piece by piece; `layouts` are those of its images and videos, in order.
   * @throws RowError naming the row: what `conversationOfRow` refuses, an answer that holds what the template marks turns
   * with unless `turnMarks` is "keep", nothing to train
   */
  encodeRow(row: LlavaRow, layouts: readonly ImageLayout[], turnMarks: TurnMarks = "refuse"): EncodedRow {
    const prompt = this.encodePrompt(rowPieces(row, this.promptFormat, { turnMarks, layouts }), layouts);
    requireTrained(row, prompt);
    return { ...prompt, id: row.id, images: row.images.map(mediumKey), layouts };
  }

  /** What the vision tower is given of a decoded image. */
  pixels(image: RgbImage, { layout, mirrored = false }: ImageView = {}): PixelValues {
    return (mirrored ? preprocessMirrored : preprocess)(image, this.imageConfig, layout);
  }

  /**
   * What the vision tower is given of a frame: the middle of it, without bars or tiles.
   * @param into where the values are written, if not to memory of their own
   */
  framePixels(
    frame: RgbImage,
    { mirrored = false }: Pick<ImageView, "mirrored"> = {},
    into?: Float32Array,
  ): PixelValues {
    return (mirrored ? preprocessMirrored : preprocess)(frame, this.#frameConfig, undefined, into);
  }

  /** The same with another prompt format or other images. */
  with(changes: Partial<Omit<ProcessorSource, "tokenizer">>): Processor {
    return new Processor({ ...this.source, ...changes }, this.tokenizer);
  }
}

/** Throws what `openTokenizer` and `choosePromptFormat` throw. */
export const openProcessor = async (source: ProcessorSource): Promise<Processor> =>
  new Processor(source, await openTokenizer(source.tokenizer));
