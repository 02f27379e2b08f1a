import { mulberry32 } from "../../src/random/index.ts";
import {
  type BlockType,
  blockLayouts,
  fromTyped,
  quantizedLinear,
  type Tensor,
  tensor,
} from "../../src/torch/index.ts";

/** Where a type's blocks have numbers in half precision. */
function halvesOf(type: BlockType): readonly number[] {
  if (type === "Q6_K") return [208];
  return type.endsWith("_1") || type.endsWith("_K") ? [0, 2] : [0];
}

/** Rows of blocks of random bytes, [rows, count · bytes], with scales of ±(0.008 to 0.06). */
export function randomBlocks(rows: number, count: number, type: BlockType, random: () => number): Tensor {
  const { blockBytes } = blockLayouts[type];
  const bytes = Uint8Array.from({ length: rows * count * blockBytes }, () => 256 * random());
  for (let block = 0; block < bytes.length; block += blockBytes)
    for (const start of halvesOf(type))
      bytes[block + start + 1] = (random() < 0.5 ? 0x80 : 0) + 0x20 + 12 * random();
  return fromTyped(bytes, { dtype: "uint8", shape: [rows, count * blockBytes] });
}

/** Some products of every type, of the same numbers on every machine. */
export function sampleProducts(): Record<string, number[]> {
  const random = mulberry32(5);
  const products = Object.entries(blockLayouts).map(([type, { blockElements }]) => {
    const blocks = randomBlocks(11, 1024 / blockElements, type as BlockType, random);
    const x = tensor(
      Array.from({ length: 7 * 1024 }, () => 4 * random() - 2),
      { shape: [7, 1024] },
    );
    return [type, quantizedLinear(x, blocks, type as BlockType).toNumbers()];
  });
  return Object.fromEntries(products);
}
