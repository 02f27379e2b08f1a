import { alone, type Communicator } from "../distributed/index.ts";
import { aten, noGrad, scope, stack, type Tensor, zeros } from "../torch/index.ts";

/**
 * Scales all gradients by min(1, maxNorm / (norm + 1e-6)), where norm is the 2-norm of all of them together, and
 * returns that norm (as it was before). A norm that is not finite leaves NaN behind: check what is returned. Where each rank
 * of a communicator has gradients of its own, a part of all, the norm is that of all ranks'.
 */
export function clipGradNorm(
  parameters: Iterable<Tensor>,
  maxNorm: number,
  communicator: Communicator = alone,
): number {
  return noGrad(() =>
    scope(() => {
      const gradients = [...parameters].flatMap((parameter) => parameter.grad ?? []);
      if (gradients.length === 0 && communicator.size === 1) return 0;
      const norm = normOverRanks(gradients, communicator);
      if (maxNorm < Infinity && gradients.length > 0)
        aten.foreachMulTensor_(gradients, norm.add(1e-6).pow(-1).mul(maxNorm).clamp(undefined, 1));
      return norm.item();
    }),
  );
}

/** float32 [] */
function normOverRanks(gradients: readonly Tensor[], communicator: Communicator): Tensor {
  const own = gradients.length === 0 ? zeros([]) : normOf([stack(aten.foreachNorm(gradients, 2))]);
  if (communicator.size === 1) return own;
  const squares = own.to("float64").pow(2);
  communicator.sum([squares]);
  return squares.sqrt().to("float32");
}

const normOf = (tensors: readonly Tensor[]): Tensor => aten.foreachNorm(tensors, 2)[0]!;
