export { type AnyRes, anyResSchema } from "./any-res.ts";
export {
  type AspectMode,
  type ChannelValues,
  clipImageConfig,
  efficientNetLiteImageConfig,
  type ImageProcessorConfig,
  parseImageProcessorConfig,
  siglipImageConfig,
} from "./config.ts";
export { type DecodeOptions, decodeImage, type OpenedImage, openEncoded } from "./decode.ts";
export { type DownloadOptions, download } from "./download.ts";
export type { FeatureMap, FeatureMerge, MapSize } from "./feature-map.ts";
export {
  type FrameMerge,
  type FrameNewlines,
  type FramePooling,
  frameNewlines,
  framePoolingSchema,
  pooledGrid,
} from "./frame-pooling.ts";
export { CLIP_MEAN_COLOUR, cropAt, padToSquare, paste } from "./geometry.ts";
export {
  type FeatureGrid,
  type FramesLayout,
  type ImageLayout,
  layoutOf,
  layoutsOf,
  mapOf,
  type PaddedLayout,
  rowsOf,
  type TiledLayout,
  type TokenCounts,
  tilesOf,
  tokenCountsOf,
  tokensOf,
} from "./layout.ts";
export { dataUrlBytes, type ImageLoadOptions, loadImage, openImage } from "./load.ts";
export { type BareImage, tellsPlace, withoutMetadata } from "./metadata.ts";
export { preprocessMirrored } from "./mirror.ts";
export { gatherPixels, joinPixels, type PixelValues, preprocess } from "./preprocess.ts";
export { RESAMPLE_CODES, type Resample, resize } from "./resample.ts";
export {
  type Colour,
  createImage,
  type ImageSize,
  type Rectangle,
  type RgbImage,
  releaseMemory,
} from "./rgb.ts";
export { sizeOnCanvas, type Tiling } from "./tiles.ts";
export {
  type Transparency,
  type TransparentImage,
  transparencies,
  transparencyNote,
} from "./transparency.ts";
