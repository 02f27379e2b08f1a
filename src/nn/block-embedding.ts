import {
  type Blocks,
  type BlockType,
  type DType,
  dequantize,
  quantizedLinear,
  type Tensor,
} from "../torch/index.ts";
import { Embedding } from "./layers.ts";

/** A table of rows in blocks of ggml's types (see `BlockLinear`), of which only those that are asked for are decoded. */
export class BlockEmbedding extends Embedding {
  readonly type: BlockType;
  readonly #dtype: DType;

  /** @param dtype of the rows that are looked up */
  constructor({ type, blocks }: Blocks, width: number, dtype: DType) {
    super(blocks.size(0), width);
    this.type = type;
    this.#dtype = dtype;
    this.setParameter("weight", blocks);
  }

  override get dtype(): DType {
    return this.#dtype;
  }

  override forward(ids: Tensor): Tensor {
    const rows = this.weight.indexSelect(0, ids.flatten());
    return dequantize(rows, this.type, this.#dtype).reshape([...ids.shape, -1]);
  }

  override scores(input: Tensor): Tensor {
    return quantizedLinear(input, this.weight, this.type);
  }
}
