import { LlavaError } from "../../errors.ts";
import type { FeatureMerge } from "./feature-map.ts";
import type { ImageSize } from "./rgb.ts";

/** How images are cut: the canvases there are (`image_grid_pinpoints`), and what becomes of the tiles' features. */
export interface Tiling {
  readonly resolutions: readonly ImageSize[];
  /** Of a tile, in pixels; each canvas is so many times as wide and high. */
  readonly side: number;
  readonly merge: FeatureMerge;
  /** "padded": images that are several in a prompt are not cut (see `PaddedLayout`); left out where each is. */
  readonly several?: "padded";
}

/**
 * The canvas that AnyRes puts an image on: the one that shows most of its pixels, of those the one that wastes least of
 * itself, of those the first (LLaVA-NeXT's `select_best_resolution`).
 */
export function bestResolution(size: ImageSize, resolutions: readonly ImageSize[]): ImageSize {
  const pixels = size.width * size.height;
  let best: ImageSize | undefined;
  let [mostShown, leastWasted] = [0, Number.POSITIVE_INFINITY];
  for (const canvas of resolutions) {
    const scale = Math.min(canvas.width / size.width, canvas.height / size.height);
    const shown = Math.min(Math.trunc(size.width * scale) * Math.trunc(size.height * scale), pixels);
    const wasted = canvas.width * canvas.height - shown;
    if (shown > mostShown || (shown === mostShown && wasted < leastWasted))
      [best, mostShown, leastWasted] = [canvas, shown, wasted];
  }
  if (best === undefined)
    throw new LlavaError(
      "image",
      `an image of ${size.width}×${size.height} finds no resolution to be seen at`,
    );
  return best;
}

/** The size of an image on a canvas that it fills along one side; the other side is rounded up. */
export function sizeOnCanvas(size: ImageSize, canvas: ImageSize): ImageSize {
  const [scaleX, scaleY] = [canvas.width / size.width, canvas.height / size.height];
  return scaleX < scaleY
    ? { width: canvas.width, height: Math.min(Math.ceil(size.height * scaleX), canvas.height) }
    : { width: Math.min(Math.ceil(size.width * scaleY), canvas.width), height: canvas.height };
}
