import type { RgbImage } from "../image/index.ts";

/**
 * The pictures of a stream of Netpbm's binary pixmaps ("P6"), each as soon as it is whole, in the memory of the one before.
 * What is cut off is left out.
 */
export async function* pixmaps(stream: AsyncIterable<Buffer>): AsyncGenerator<RgbImage, void, undefined> {
  let head = "";
  let picture: { readonly width: number; readonly height: number; readonly data: Uint8Array } | undefined;
  let bytes = new Uint8Array();
  let filled = 0;
  for await (const chunk of stream)
    for (let at = 0; at < chunk.length; ) {
      if (picture === undefined) {
        head += String.fromCharCode(chunk[at++]!);
        const [, width, height] = /^P6\s(\d+)\s(\d+)\s255\s$/.exec(head) ?? [];
        if (width === undefined) {
          if (head.length > 64) throw new Error("no pixmap where one should begin");
          continue;
        }
        const size = { width: Number(width), height: Number(height) };
        const length = 3 * size.width * size.height;
        if (bytes.length !== length) bytes = new Uint8Array(length);
        picture = { ...size, data: bytes };
        filled = 0;
        head = "";
      }
      const end = Math.min(chunk.length, at + picture.data.length - filled);
      picture.data.set(chunk.subarray(at, end), filled);
      filled += end - at;
      at = end;
      if (filled < picture.data.length) continue;
      yield picture;
      picture = undefined;
    }
}
