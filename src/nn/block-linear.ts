import { LlavaError } from "../errors.ts";
import {
  type Blocks,
  type BlockType,
  blockLayouts,
  type DType,
  dequantize,
  noGrad,
  quantize,
  quantizedLinear,
  type Tensor,
  type WrittenBlockType,
} from "../torch/index.ts";
import { Linear } from "./layers.ts";
import { placeholder } from "./module.ts";

/**
 * y = x·Wᵀ + b of a W in blocks of ggml's types, used as they lie in a GGUF file; x [..., in] → [..., out] in x's element type,
 * on the CPU. Such a weight does not learn; gradients of the input go through it.
 */
export class BlockLinear extends Linear {
  readonly type: BlockType;

  /**
   * `weight` becomes the blocks [out, bytes], which are loaded or set.
   * @throws LlavaError "config" where `inFeatures` is no multiple of a block; `name` says whose
   */
  constructor(
    inFeatures: number,
    outFeatures: number,
    options: { bias: boolean; type: BlockType; name?: string },
  ) {
    super(inFeatures, outFeatures, options);
    const { type, name = "weight" } = options;
    this.type = type;
    const { blockElements, blockBytes } = blockLayouts[type];
    if (inFeatures % blockElements !== 0)
      throw new LlavaError(
        "config",
        `${name} has rows of ${inFeatures}, not a multiple of ${type}'s ${blockElements}`,
        { hint: "Keep it in 16 bits, or take a type of smaller blocks." },
      );
    this.setParameter(
      "weight",
      placeholder([outFeatures, (inFeatures / blockElements) * blockBytes], "uint8"),
    );
  }

  /** A layer with its weight in blocks; the bias is the layer's own, which is left as it is. */
  static of(layer: Linear, type: WrittenBlockType, name?: string): BlockLinear {
    const quantized = BlockLinear.#like(layer, type, name);
    quantized.setParameter(
      "weight",
      noGrad(() => quantize(layer.weight.detach(), type)),
    );
    return quantized;
  }

  /** A layer with blocks [out, bytes] in the place of its weight, which is left as it is; the bias is the layer's own. */
  static around(layer: Linear, { type, blocks }: Blocks, name?: string): BlockLinear {
    const quantized = BlockLinear.#like(layer, type, name);
    quantized.setParameter("weight", blocks);
    return quantized;
  }

  static #like({ inFeatures, outFeatures, bias }: Linear, type: BlockType, name?: string): BlockLinear {
    const layer = new BlockLinear(inFeatures, outFeatures, {
      bias: bias !== undefined,
      type,
      ...(name !== undefined && { name }),
    });
    if (bias !== undefined) layer.setParameter("bias", bias);
    return layer;
  }

  override forward(input: Tensor): Tensor {
    return quantizedLinear(input, this.weight, this.type, this.bias?.to(input.dtype));
  }

  override decoded(dtype: DType = "float32"): Tensor {
    return dequantize(this.weight, this.type, dtype);
  }
}
