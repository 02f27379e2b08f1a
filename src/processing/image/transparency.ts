import type { Pixels } from "./pixels.ts";
import type { RgbImage } from "./rgb.ts";

/**
 * What becomes of transparent pixels: "drop" shows the colours that lie under them, as Pillow's `convert("RGB")` does and the
 * original models were trained and scored; "white" lays the image on white, as transformers does from 5.24 on.
 */
export type Transparency = (typeof transparencies)[number];

export const transparencies = ["drop", "white"] as const;

/** An image that is not opaque everywhere. */
export interface TransparentImage {
  /** What errors would name it. */
  readonly where: string;
  readonly transparency: Transparency;
  /** Part of the pixels that are not opaque, above 0 and up to 1. */
  readonly share: number;
  /** Part of the pixels that look otherwise on white than with the colours under them. */
  readonly changed: number;
}

/** In levels of 255: less is not seen. */
const visible = 32;

/** The image without alpha, and what there was of it; undefined for one that is opaque. */
export function withoutAlpha(
  { width, height, channels, data }: Pixels,
  transparency: Transparency,
): { readonly image: RgbImage; readonly found?: Omit<TransparentImage, "where"> } {
  if (channels === 3) return { image: { width, height, data } };
  const pixels = width * height;
  const rgb = new Uint8Array(pixels * 3);
  let [transparent, changed] = [0, 0];
  for (let pixel = 0; pixel < pixels; pixel++) {
    const [from, to] = [pixel * 4, pixel * 3];
    const alpha = data[from + 3]!;
    let most = 0;
    for (let channel = 0; channel < 3; channel++) {
      const under = data[from + channel]!;
      const onWhite = overWhite(under, alpha);
      rgb[to + channel] = transparency === "white" ? onWhite : under;
      if (onWhite - under > most) most = onWhite - under;
    }
    if (alpha < 255) transparent++;
    if (most > visible) changed++;
  }
  const image = { width, height, data: rgb };
  if (transparent === 0) return { image };
  return { image, found: { transparency, share: transparent / pixels, changed: changed / pixels } };
}

/** Pillow's `alpha_composite` over opaque white, which rounds to 7 bits below a level. */
function overWhite(colour: number, alpha: number): number {
  if (alpha === 255) return colour;
  if (alpha === 0) return 255;
  const weight = alpha * 128;
  const sum = Math.trunc(colour * weight + 255 * (255 * 128 - weight)) + (128 << 7);
  return (((sum >> 8) + sum) >> 8) >> 7;
}

/** Pixels that look otherwise from which on a picture may not be the one that its author sees. */
const worthTelling = 0.01;

/** A line about an image that looks otherwise on white than with the colours under it; undefined where it hardly does. */
export function transparencyNote({
  where,
  transparency,
  share,
  changed,
}: TransparentImage): string | undefined {
  if (changed < worthTelling) return undefined;
  const percent = (part: number): string =>
    `${part === 1 ? 100 : Math.min(99, Math.max(1, Math.round(100 * part)))} %`;
  const shown =
    transparency === "drop"
      ? "the model sees the colours that lie hidden under them"
      : "the model sees them on white";
  return `${where}: ${percent(share)} of its pixels are transparent, and ${shown}; ${percent(changed)} of the picture would look otherwise ${transparency === "drop" ? "on white" : "without that"} (transparency "${transparency}")`;
}
