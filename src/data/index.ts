export {
  type Caption,
  type CaptionedImage,
  type CaptionGroup,
  CaptionGroups,
  captionedImages,
} from "./captioned-images.ts";
export { flickrRows } from "./flickr8k.ts";
export { type PackedBatch, packShared, type SharedPrefix } from "./packing.ts";
export { mixSeed, permutation, randomNumbers } from "./random.ts";
export { type LlavaRow, readRows } from "./rows.ts";
export { type DrawnItem, EpochSampler, type SamplerState } from "./sampler.ts";
