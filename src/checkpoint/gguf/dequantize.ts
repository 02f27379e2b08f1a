import { cat, type DType, empty, type MappedFile, scope, type Tensor } from "../../torch/index.ts";
import type { GgufType, GgufTypeLayout } from "./types.ts";

/** Elements worked on at once: few enough to stay in the caches, many enough to occupy several threads. */
const CHUNK_ELEMENTS = 1 << 19;

/** Blocks as bytes [n, blockBytes] → float32 [n, blockElements]. */
type Decode = (blocks: Tensor) => Tensor;

/**
 * A quantised tensor of a GGUF file as floating point. The arithmetic is float32, one rounding per operation in the
 * order of ggml's reference code, so the values equal its own; they are then rounded once to `dtype`.
 */
export function dequantize(
  file: MappedFile,
  offset: number,
  shape: readonly number[],
  layout: GgufTypeLayout,
  dtype: DType,
): Tensor {
  const { type, blockBytes, blockElements } = layout;
  const decode = DECODERS[type as keyof typeof DECODERS];
  const blockCount = shape.reduce((product, size) => product * size, 1) / blockElements;
  const chunk = CHUNK_ELEMENTS / blockElements;
  return scope(() => {
    const blocks = file.tensor(offset, [blockCount, blockBytes], "uint8");
    const values = empty([blockCount, blockElements], { dtype });
    for (let start = 0; start < blockCount; start += chunk) {
      const end = Math.min(start + chunk, blockCount);
      scope(() => {
        values.slice(0, start, end).copy_(decode(blocks.slice(0, start, end)));
      });
    }
    return values.reshape(shape);
  });
}

/** Bytes `start` and `start + 1` of every block, a half-precision number → float32 [n, 1]. */
const half = (blocks: Tensor, start: number): Tensor =>
  blocks
    .slice(1, start, start + 2)
    .contiguous()
    .viewAs("float16")
    .to("float32");

/** 16 bytes → their 32 four-bit halves, all the low ones first. */
const nibbles = (packed: Tensor): Tensor => cat([packed.bitwiseAnd(0x0f), packed.rightShift(4)], 1);

/** Bytes with a dimension of 1 at `dim` → their 8 bits along it, the lowest first. */
const bitsOf = (bytes: Tensor, dim: number): Tensor =>
  cat(
    Array.from({ length: 8 }, (_, bit) => bytes.rightShift(bit).bitwiseAnd(1)),
    dim,
  );

/** 4 bytes of fifth bits, 16 of nibbles → 32 numbers of five bits. */
const fiveBits = (packed: Tensor): Tensor =>
  bitsOf(packed.slice(1, 0, 4).unsqueeze(2), 2)
    .reshape([-1, 32])
    .leftShift(4)
    .add(nibbles(packed.slice(1, 4)));

/** 128 bytes → 8 groups of 32 nibbles: the low ones of 32 bytes, then their high ones. */
function groupNibbles(bytes: Tensor): Tensor {
  const packed = bytes.reshape([-1, 4, 1, 32]);
  return cat([packed.bitwiseAnd(0x0f), packed.rightShift(4)], 2).reshape([-1, 8, 32]);
}

/**
 * (d · scale) · q − (dmin · min) for each of 8 groups of 32 numbers q; bytes: d 2, dmin 2, scales 12. The 6-bit scales and
 * minima of groups 0–3 fill the low bits of bytes 0–3 and 4–7; those of groups 4–7 have their low four bits in bytes
 * 8–11 and their high two in the top bits of bytes 0–7.
 */
function scaledGroups(blocks: Tensor, quantised: Tensor): Tensor {
  const [low, high, rest] = blocks.slice(1, 4, 16).split([4, 4, 4], 1) as [Tensor, Tensor, Tensor];
  const top = (bytes: Tensor) => bytes.rightShift(2).bitwiseAnd(0x30);
  const scale = cat([low.bitwiseAnd(0x3f), rest.bitwiseAnd(0x0f).add(top(low))], 1);
  const minimum = cat([high.bitwiseAnd(0x3f), rest.rightShift(4).add(top(high))], 1);
  const factor = scale.to("float32").mul_(half(blocks, 0)).unsqueeze(2);
  const shift = minimum.to("float32").mul_(half(blocks, 2)).unsqueeze(2);
  return quantised.to("float32").mul_(factor).add_(shift, -1).reshape([-1, 256]);
}

const DECODERS: Readonly<Record<Exclude<GgufType, "F32" | "F16" | "BF16">, Decode>> = {
  /** d · (q − 8); bytes: d 2, q 16. */
  Q4_0: (blocks) => nibbles(blocks.slice(1, 2)).viewAs("int8").sub(8).to("float32").mul_(half(blocks, 0)),

  /** d · q + m; bytes: d 2, m 2, q 16. */
  Q4_1: (blocks) => nibbles(blocks.slice(1, 4)).to("float32").mul_(half(blocks, 0)).add_(half(blocks, 2)),

  /** d · q; bytes: d 2, q 32 (signed). */
  Q8_0: (blocks) => blocks.slice(1, 2).viewAs("int8").to("float32").mul_(half(blocks, 0)),

  /** d · (q − 16), q of 32 fifth bits and 32 nibbles; bytes: d 2, fifth bits 4, q 16. */
  Q5_0: (blocks) => fiveBits(blocks.slice(1, 2)).viewAs("int8").sub(16).to("float32").mul_(half(blocks, 0)),

  /** d · q + m; bytes: d 2, m 2, fifth bits 4, q 16. */
  Q5_1: (blocks) => fiveBits(blocks.slice(1, 4)).to("float32").mul_(half(blocks, 0)).add_(half(blocks, 2)),

  /** Groups of nibbles; bytes: d 2, dmin 2, scales 12, q 128. */
  Q4_K: (blocks) => scaledGroups(blocks, groupNibbles(blocks.slice(1, 16))),

  /** The same with a fifth bit: bit g of byte i is that of element i of group g; bytes: d 2, dmin 2, scales 12, fifth bits 32, q 128. */
  Q5_K: (blocks) => {
    const fifth = bitsOf(blocks.slice(1, 16, 48).unsqueeze(1), 1); // [n, 8, 32]
    return scaledGroups(blocks, fifth.leftShift(4).add(groupNibbles(blocks.slice(1, 48))));
  },

  /** (d · scale) · (q − 32) for each of 16 groups of 16; bytes: low 4 bits 128, high 2 bits 64, scales 16 (signed), d 2. */
  Q6_K: (blocks) => {
    const factor = blocks.slice(1, 192, 208).viewAs("int8").to("float32").mul_(half(blocks, 208));
    const lowBits = blocks.slice(1, 0, 128).reshape([-1, 2, 1, 64]);
    const low = cat([lowBits.bitwiseAnd(0x0f), lowBits.rightShift(4)], 2).reshape([-1, 2, 4, 32]);
    const highBits = blocks.slice(1, 128, 192).reshape([-1, 2, 1, 32]);
    const high = cat(
      [0, 2, 4, 6].map((bits) => highBits.rightShift(bits).bitwiseAnd(0x03)),
      2,
    );
    const quantised = high.leftShift(4).add(low).viewAs("int8").sub(32).reshape([-1, 16, 16]);
    return quantised.to("float32").mul_(factor.unsqueeze(2)).reshape([-1, 256]);
  },
};
