export { type EncodedRow, encodeRow, imagesOfRow, messagesOfRow, type RowEncoding } from "./encode-row.ts";
export { flickrRows } from "./flickr8k.ts";
export { ImageGroups } from "./image-groups.ts";
export { mixSeed, permutation, randomNumbers } from "./random.ts";
export { type LlavaRow, readRows } from "./rows.ts";
export { type DrawnItem, EpochSampler, type SamplerState } from "./sampler.ts";
