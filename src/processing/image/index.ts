export {
  type AspectMode,
  type ChannelValues,
  clipImageConfig,
  efficientNetLiteImageConfig,
  type ImageProcessorConfig,
  parseImageProcessorConfig,
} from "./config.ts";
export { type DecodeOptions, decodeImage, type OpenedImage, openEncoded } from "./decode.ts";
export type { DownloadOptions } from "./download.ts";
export { CLIP_MEAN_COLOUR, cropAt, padToSquare, paste } from "./geometry.ts";
export { type FeatureGrid, type ImageLayout, type ImageSize, layoutOf, rowsOf, tokensOf } from "./layout.ts";
export { type ImageLoadOptions, loadImage, openImage } from "./load.ts";
export { type PixelValues, preprocess } from "./preprocess.ts";
export { RESAMPLE_CODES, type Resample, resize } from "./resample.ts";
export { type Colour, createImage, type Rectangle, type RgbImage, releaseMemory } from "./rgb.ts";
export {
  type Transparency,
  type TransparentImage,
  transparencies,
  transparencyNote,
} from "./transparency.ts";
