import type { Picture, Pixels } from "../pixels.ts";
import { readBitmap } from "./bmp.ts";

/** The largest picture of an icon, as Pillow chooses it: a PNG file within it, or a bitmap. */
export function readIco(bytes: Uint8Array): { readonly png: Uint8Array } | Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = Array.from({ length: view.getUint16(4, true) }, (_, index) => {
    const at = 6 + index * 16;
    const [width, height, colours] = [bytes[at]! || 256, bytes[at + 1]! || 256, bytes[at + 2]!];
    const stated = view.getUint16(at + 6, true);
    const depth = stated || (colours === 0 ? 256 : Math.ceil(Math.log2(colours)));
    const [length, start] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
    return { area: width * height, depth, start, length };
  });
  const [best] = entries.sort((a, b) => b.area - a.area || a.depth - b.depth);
  if (best === undefined) throw new Error("it holds no picture");
  const content = bytes.subarray(best.start, best.start + best.length);
  if (content.length < 16) throw new Error("its pixels end early");
  return content[0] === 0x89 ? { png: content } : iconBitmap(content);
}

/** A bitmap whose height counts a mask of transparent pixels too. */
function iconBitmap(content: Uint8Array): Picture {
  const halved = new Uint8Array(content);
  const view = new DataView(halved.buffer);
  const height = Math.trunc(view.getInt32(8, true) / 2);
  view.setInt32(8, height, true);
  const picture = readBitmap(halved, 0);
  return { ...picture, decode: () => withMask(picture.decode(), halved) };
}

/** The mask at the end, where pixels have no alpha of their own. */
function withMask(pixels: Pixels, content: Uint8Array): Pixels {
  const { width, height, channels, data } = pixels;
  if (channels === 4) return pixels;
  const stride = Math.ceil(width / 32) * 4;
  const mask = content.subarray(content.length - stride * height);
  const rgba = new Uint8Array(width * height * 4);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const pixel = row * width + column;
      rgba.set(data.subarray(pixel * 3, pixel * 3 + 3), pixel * 4);
      const byte = mask[(height - 1 - row) * stride + (column >> 3)]!;
      rgba[pixel * 4 + 3] = (byte >> (7 - (column & 7))) & 1 ? 0 : 255;
    }
  return { width, height, channels: 4, data: rgba };
}
