import { inference, ones, scope } from "../src/torch/index.ts";

/** More than the caches of today's processors, in bytes. */
export const OUT_OF_CACHE = 160e6;
const STRETCHES = 10;

/** The shortest of the times that `body` takes, in seconds; at least three, and as many as fit into `seconds`. */
export function best(seconds: number, body: (turn: number) => void): number {
  let least = Number.POSITIVE_INFINITY;
  const end = performance.now() + seconds * 1000;
  for (let turn = 0; turn < 3 || performance.now() < end; turn++) {
    const start = performance.now();
    scope(() => body(turn));
    least = Math.min(least, performance.now() - start);
  }
  return least / 1000;
}

/**
 * How fast libtorch's threads read memory, in GB/s: the fastest of stretches that take as long as a product with one row, and
 * what all of them came to, which is what work over many of them can be held against on a busy machine.
 */
export function readBandwidth(seconds: number): { fastest: number; sustained: number } {
  return inference(() => {
    using numbers = ones([STRETCHES, OUT_OF_CACHE / STRETCHES / 4]);
    let [turns, start] = [0, performance.now()];
    const least = best(seconds, (turn) => {
      if (turn === 0) start = performance.now();
      turns++;
      numbers.select(0, turn % STRETCHES).sum();
    });
    const stretch = OUT_OF_CACHE / STRETCHES / 1e9;
    return {
      fastest: stretch / least,
      sustained: (turns * stretch) / ((performance.now() - start) / 1000),
    };
  });
}
