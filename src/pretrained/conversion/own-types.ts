import { aten, type DType, noGrad, scope, type Tensor } from "../../torch/index.ts";

/**
 * GGUF keeps vectors, and some matrices, in float32 whatever the others are: they come back as what most numbers of their
 * part are, where that holds every value of theirs.
 */
export function withOwnTypes(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const isSeen = (name: string) => !/^(?:model\.language_model|lm_head)\./.test(name);
  const types = [true, false].map((seen) => mostOf([...state].filter(([name]) => isSeen(name) === seen)));
  return new Map(
    Array.from(state, ([name, tensor]) => {
      const type = types[isSeen(name) ? 0 : 1]!;
      if (tensor.dtype !== "float32" || type === "float32") return [name, tensor];
      return [name, noGrad(() => scope(() => narrowed(tensor, type)))];
    }),
  );
}

function narrowed(tensor: Tensor, type: DType): Tensor {
  const narrow = tensor.detach().to(type);
  return aten.equal(narrow.to("float32"), tensor) ? narrow : tensor;
}

function mostOf(tensors: readonly (readonly [string, Tensor])[]): DType {
  const counts = new Map<DType, number>();
  for (const [, { dtype, elements }] of tensors) counts.set(dtype, (counts.get(dtype) ?? 0) + elements);
  const [[most] = ["float32" as const]] = [...counts].sort(([, a], [, b]) => b - a);
  return most;
}
