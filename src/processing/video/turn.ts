/** How pictures are turned upright. */
export interface Turn {
  /** By FFmpeg's filters, in order. */
  readonly filters: readonly string[];
  /** Width and height change places. */
  readonly isOnItsSide: boolean;
}

/**
 * What the matrix of a video track asks for, which maps its pictures onto the screen: the filters that the program `ffmpeg` puts
 * before others.
 * @param matrix 3 rows of 3 numbers of 32 bits with 16 behind the point, in the machine's order; null is none
 */
export function turnOf(matrix: Buffer | null): Turn {
  if (matrix === null || matrix.length < 36) return { filters: [], isOnItsSide: false };
  const at = (index: number) => matrix.readInt32LE(4 * index);
  const angle = Math.atan2(at(1) / Math.hypot(at(1), at(4)), at(0) / Math.hypot(at(0), at(3)));
  const degrees = (Math.round((angle * 180) / Math.PI) + 360) % 360;
  const isFlipped = at(4) < 0;
  switch (degrees) {
    case 90:
      return { filters: [`transpose=${at(3) > 0 ? "cclock_flip" : "clock"}`], isOnItsSide: true };
    case 180:
      return {
        filters: [...(at(0) < 0 ? ["hflip"] : []), ...(isFlipped ? ["vflip"] : [])],
        isOnItsSide: false,
      };
    case 270:
      return { filters: [`transpose=${at(3) < 0 ? "clock_flip" : "cclock"}`], isOnItsSide: true };
    case 0:
      return { filters: isFlipped ? ["vflip"] : [], isOnItsSide: false };
    default:
      return { filters: Number.isNaN(degrees) ? [] : [`rotate=${degrees}*PI/180`], isOnItsSide: false };
  }
}
