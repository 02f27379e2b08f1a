import { type Llava, llavaPaths } from "../models/index.ts";
import type { Processor } from "../processing/processor/index.ts";
import type { KeptWeights, ResolvedModel } from "../setup/index.ts";
import type { DType } from "../torch/index.ts";
import type { FewBits } from "./block-types.ts";
import type { ModelOrigin } from "./save.ts";

/** Which model is meant, and how its prompts are written: what its small files are read by. */
export interface DescribeOptions {
  /** Finds the files of a vision tower that a checkpoint names and does not hold. */
  readonly resolve?: (name: string) => Promise<ResolvedModel>;
  /** Folder or hub name of the vision tower of a checkpoint in the original layout, instead of the one that it names. */
  readonly visionTower?: string;
  /** Folder, built-in or hub name of the base model of an adapter, instead of the one that it names, or of a projector. */
  readonly base?: string;
  /** Folder or hub name of the language model that a checkpoint is the difference from, as the first LLaVA was published. */
  readonly deltaOf?: string;
  /** Name of a conversation template to use instead of the checkpoint's own. */
  readonly template?: string;
  /** Told what was found that the files do not agree on, or that is left unused. */
  readonly report?: (line: string) => void;
  /** Chat template in the place of the checkpoint's own: that of an adapter trained on it. */
  readonly chatTemplate?: string | undefined;
}

export interface LoadOptions extends DescribeOptions {
  /** Element type of the weights; as stored without it. */
  readonly dtype?: DType;
  /** Element type of activations, where it is not that of the weights (see `Llava.computeDtype`). */
  readonly computeDtype?: DType;
  readonly device?: string;
  /**
   * How the language model's matrices are kept: "stored" in blocks as they lie in a GGUF file, in the file's type in others;
   * "int8" and "int4" in blocks made as they are read (Q8_0; Q4_K, or Q4_0 where rows are no multiple of 256, and Q6_K or
   * Q8_0 for the vocabulary's scores), unless the file has them in as many bits; "bf16" is bfloat16 for all weights. `dtype`
   * is that of all that is in no blocks, and of activations. Blocks are for the CPU, and do not learn.
   */
  readonly weights?: KeptWeights;
  /**
   * The matrices of the language model's layers alone in few bits, to train adapters beside them in little memory: "int8" with
   * a scale for each output, on any device; "int4" as `weights` has them, on the CPU.
   */
  readonly frozenWeights?: FewBits;
}

/** A model with what turns messages and images into its inputs, and where both came from. */
export interface PretrainedLlava extends Disposable {
  readonly model: Llava;
  readonly processor: Processor;
  /** For writing the model again as the kind of checkpoint it came from; undefined for a built-in model and an adapter's. */
  readonly origin: ModelOrigin | undefined;
}

/** A model whose small files have been read: all of it but the weights. */
export interface DescribedModel extends Pick<PretrainedLlava, "processor" | "origin"> {
  /** Reads the weights. */
  load(): Llava;
}

export function loaded({ processor, origin, load }: DescribedModel): PretrainedLlava {
  const model = load();
  return { model, processor, origin, [Symbol.dispose]: () => model[Symbol.dispose]() };
}

/** The same with weights that are changed once they are read. What fails takes the model with it. */
export const changed = (described: DescribedModel, change: (model: Llava) => void): DescribedModel => ({
  ...described,
  load: () => {
    const model = described.load();
    try {
      change(model);
      return model;
    } catch (error) {
      model[Symbol.dispose]();
      throw error;
    }
  },
});

/** The name of a tensor of a checkpoint (see `canonicalName`) in LLaVA's module. */
export const moduleName = (canonical: string): string => llavaPaths.write(canonical) ?? canonical;
