import sharp from "sharp";

/** A JPEG with the smooth areas, edges and grain of a photo; the same for the same seed. */
export async function photo(
  seed: number,
  { width = 640, height = 480, quality = 90 }: { width?: number; height?: number; quality?: number } = {},
): Promise<Buffer> {
  const data = new Uint8Array(width * height * 3);
  let state = seed + 1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const light = 110 + 70 * Math.sin((x + seed * 37) / 90) * Math.cos((y - seed * 11) / 70);
      const edge = ((x + seed * 13) >> 6) % 3 === (y >> 5) % 3 ? 40 : 0;
      for (let channel = 0; channel < 3; channel++, at++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        data[at] = Math.min(255, Math.max(0, light + edge * (channel - 0.5) + (state >>> 28) - 8));
      }
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
}
