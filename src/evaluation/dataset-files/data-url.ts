import { imageType } from "../../files/index.ts";

/** Base64 of enough bytes to tell an image's kind: a multiple of four characters. */
const enough = 64;

/** An image in base64, as MMBench's tables hold it, as a data URL. */
export const imageDataUrl = (base64: string): string =>
  `data:image/${imageType(Buffer.from(base64.slice(0, enough), "base64")) ?? "jpeg"};base64,${base64}`;
