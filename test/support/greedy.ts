import type { PretrainedLlava } from "../../src/pretrained/index.ts";
import { longTensor, type Tensor } from "../../src/torch/index.ts";

/** Greedy ids after `embeddings`, with the cache. */
export function greedyIds({ model }: PretrainedLlava, embeddings: Tensor, count: number): number[] {
  const { languageModel } = model;
  using cache = languageModel.newCache({ batch: 1, capacity: embeddings.size(1) + count });
  const ids: number[] = [];
  let inputs = embeddings;
  while (ids.length < count) {
    const hidden = languageModel.forward(inputs, { cache });
    ids.push(languageModel.logits(hidden.slice(1, -1)).argmax().item());
    inputs = languageModel.embed(longTensor([ids.at(-1)!], [1, 1]));
  }
  return ids;
}
