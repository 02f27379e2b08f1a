import { createHash } from "node:crypto";
import type { ImageLayout, PixelValues } from "../../processing/image/index.ts";

/** SHA-256 of pixels as the tower is given them, of their shape, and of how the image was cut; `salt` parts those who must not share. */
export function digestOf(
  { data, tiles, height, width }: PixelValues,
  layout: ImageLayout,
  salt: string,
): string {
  const frame = JSON.stringify([salt, tiles, height, width, layout]);
  return createHash("sha256")
    .update(`${frame.length}:${frame}`)
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");
}
