import type { Rectangle } from "../../processing/image/index.ts";
import { greyOf, pictureSide } from "./picture.ts";

/** Numbers of a descriptor: colours, their layout, and edges by place and direction. */
export const descriptorWidth = 64 + 108 + 128;

const directions = 8;
const whole: Rectangle = { left: 0, top: 0, width: pictureSide, height: pictureSide };

/** What is told of each pixel of a picture, for descriptors of several parts of it. */
export class Described {
  readonly #picture: Uint8Array;
  readonly #colours: Uint8Array;
  readonly #directions: Uint8Array;
  readonly #strengths: Float32Array;

  /** @param picture 64×64 RGB */
  constructor(picture: Uint8Array, grey = greyOf(picture)) {
    const pixels = pictureSide * pictureSide;
    this.#picture = picture;
    this.#colours = Uint8Array.from({ length: pixels }, (_, at) => {
      const [red, green, blue] = [picture[3 * at]!, picture[3 * at + 1]!, picture[3 * at + 2]!];
      return 16 * (red >> 6) + 4 * (green >> 6) + (blue >> 6);
    });
    this.#directions = new Uint8Array(pixels);
    this.#strengths = new Float32Array(pixels);
    for (let y = 1; y < pictureSide - 1; y++)
      for (let x = 1; x < pictureSide - 1; x++) {
        const at = y * pictureSide + x;
        const across = grey[at + 1]! - grey[at - 1]!;
        const down = grey[at + pictureSide]! - grey[at - pictureSide]!;
        // Of light on dark and of dark on light alike.
        const turn = (Math.atan2(down, across) / Math.PI + 1) % 1;
        this.#directions[at] = Math.min(directions - 1, Math.floor(directions * turn));
        this.#strengths[at] = Math.sqrt(across * across + down * down);
      }
  }

  /**
   * Which colours a part of the picture has, where, and where edges run in which direction: 300 numbers, together of length
   * 1. Of counts it holds square roots, whose products tell how far two histograms overlap.
   */
  descriptor({ left, top, width, height } = whole): Float32Array {
    const colours = new Float32Array(64);
    const layout = new Float32Array(108);
    const edges = new Float32Array(16 * directions);
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const at = (top + row) * pictureSide + left + column;
        const colour = this.#colours[at]!;
        colours[colour] = colours[colour]! + 1;
        const cell = 3 * (6 * Math.floor((6 * row) / height) + Math.floor((6 * column) / width));
        for (let channel = 0; channel < 3; channel++)
          layout[cell + channel] = layout[cell + channel]! + this.#picture[3 * at + channel]! - 128;
        // At its own sides a cut copy has no edge.
        if (row === 0 || column === 0 || row === height - 1 || column === width - 1) continue;
        const quarter = 4 * Math.floor((4 * row) / height) + Math.floor((4 * column) / width);
        const place = directions * quarter + this.#directions[at]!;
        edges[place] = edges[place]! + this.#strengths[at]!;
      }
    const joined = new Float32Array(descriptorWidth);
    joined.set(unit(colours.map(Math.sqrt)));
    joined.set(unit(layout), 64);
    joined.set(unit(edges.map(Math.sqrt)), 172);
    return unit(joined);
  }
}

/** Of length 1; zeros stay. */
export function unit(values: Float32Array): Float32Array {
  let squares = 0;
  for (const value of values) squares += value * value;
  return squares === 0 ? values : values.map((value) => value / Math.sqrt(squares));
}
