import assert from "node:assert/strict";
import { Generator, grad, noGrad, randn, scope, type Tensor } from "../../src/torch/index.ts";

const STEP = 1e-5;

/**
 * Holds autograd to a central difference in float64: along a random direction u, |f(x + hu) − f(x − hu)| / 2h equals
 * ⟨∇f, u⟩ to 1e-6, where f is a random weighting of the output. Each input is checked alone.
 */
export function checkGradients(
  inputs: readonly Tensor[],
  compute: (inputs: readonly Tensor[]) => Tensor,
  seed = 11,
): void {
  scope(() => {
    using generator = new Generator(seed);
    const normal = (like: Tensor) => randn(like.shape, generator, { dtype: "float64" });
    const leaves = inputs.map((input) => {
      assert.equal(input.dtype, "float64");
      return input.detach().clone().requiresGrad_();
    });
    const output = compute(leaves);
    const weighting = normal(output);
    const value = (at: readonly Tensor[]) => compute(at).mul(weighting).sum();
    const gradients = grad([output.mul(weighting).sum()], leaves);
    for (const [i, leaf] of leaves.entries()) {
      const direction = normal(leaf);
      const moved = (step: number) =>
        noGrad(() => value(leaves.with(i, leaf.detach().add(direction.mul(step)))).item());
      const difference = (moved(STEP) - moved(-STEP)) / (2 * STEP);
      assert.ok(gradients[i], `input ${i} has no gradient`);
      const product = gradients[i].mul(direction).sum().item();
      const error = Math.abs(difference - product);
      assert.ok(
        error <= 1e-6 * Math.max(1, Math.abs(difference)),
        `input ${i}: the difference quotient is ${difference}, the gradient gives ${product}`,
      );
    }
  });
}
