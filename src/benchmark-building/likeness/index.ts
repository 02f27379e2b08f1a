export { unit } from "./descriptor.ts";
export { type Alike, LikenessIndex, usualLimits } from "./likeness-index.ts";
export { pictureOf, pictureSide } from "./picture.ts";
export { type Signature, signatureOf } from "./signature.ts";
