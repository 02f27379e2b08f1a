import { aten, noGrad, scope, stack, type Tensor } from "../torch/index.ts";

/**
 * Scales all gradients by min(1, maxNorm / (norm + 1e-6)), where norm is the 2-norm of all of them together, and
 * returns that norm (as it was before). A norm that is not finite leaves NaN behind: check what is returned.
 */
export function clipGradNorm(parameters: Iterable<Tensor>, maxNorm: number): number {
  return noGrad(() =>
    scope(() => {
      const gradients = [...parameters].flatMap((parameter) => parameter.grad ?? []);
      if (gradients.length === 0) return 0;
      const norms = aten.foreachNorm(gradients, 2);
      const norm = aten.foreachNorm([stack(norms)], 2)[0]!;
      if (maxNorm < Infinity)
        aten.foreachMulTensor_(gradients, norm.add(1e-6).pow(-1).mul(maxNorm).clamp(undefined, 1));
      return norm.item();
    }),
  );
}
