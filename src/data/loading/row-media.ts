import { resolve } from "node:path";
import { LlavaError } from "../../errors.ts";
import {
  type ImageLayout,
  openEncoded,
  type PixelValues,
  releaseMemory,
} from "../../processing/image/index.ts";
import {
  type ImageView,
  type MediumShape,
  type Processor,
  videoPixels,
} from "../../processing/processor/index.ts";
import { openVideo } from "../../processing/video/index.ts";
import { type LlavaRow, mediumKey, type RowImage, rowError } from "../../protocol/index.ts";

/** An image or a video of rows whose shape is known, and which is decoded when its pixels are asked for. */
export interface OpenedRowMedium {
  readonly shape: MediumShape;
  /** @throws LlavaError "image" or "video" for one that cannot be decoded */
  pixels(view: ImageView): Promise<PixelValues>;
}

/** Opens an image or a video of a row. @throws LlavaError "image" or "video" for one that cannot be opened */
export async function openRowMedium(
  { name, bytes, isVideo }: RowImage,
  folder: string,
  processor: Processor,
): Promise<OpenedRowMedium> {
  const path = resolve(folder, name);
  if (isVideo) {
    const video = await openVideo({ path });
    const sampled = processor.sampleFrames(video);
    return {
      shape: { size: video.size, isVideo, sampled },
      pixels: (view) => videoPixels(video, sampled, processor, view),
    };
  }
  const { transparency = "drop" } = processor.imageConfig;
  const image = await openEncoded(bytes ?? path, { where: bytes ? name : path, limits: {}, transparency });
  return {
    shape: { size: image.size },
    async pixels(view) {
      const decoded = await image.decode();
      const pixels = processor.pixels(decoded, view);
      releaseMemory(decoded.data);
      return pixels;
    },
  };
}

/** What cannot be decoded, as a value. */
export function undecodable(error: unknown): LlavaError {
  if (error instanceof LlavaError && (error.code === "image" || error.code === "video")) return error;
  throw error;
}

/**
 * How a row's images and videos are seen, by the shapes of those that were opened.
 * @throws RowError "broken" for a row about one that was not, where its tokens depend on its shape
 */
export function layoutsOfRow(
  row: LlavaRow,
  shapes: ReadonlyMap<string, MediumShape>,
  processor: Processor,
): ImageLayout[] {
  const found = row.images.map((medium) => {
    const shape = shapes.get(mediumKey(medium));
    if (shape === undefined && (processor.imageConfig.tiling || medium.isVideo))
      throw rowError(row, "broken", `${medium.name} cannot be opened`, "Get the file again.");
    return shape ?? { size: undefined };
  });
  return processor.mediaLayouts(found);
}
