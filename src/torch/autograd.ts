import { native } from "./binding.ts";
import { explain } from "./errors.ts";
import { adopt } from "./scope.ts";
import type { Tensor } from "./tensor.ts";

const slotsOf = (tensors: readonly Tensor[]): number[] => tensors.map((tensor) => tensor.slot);

/** Adds the gradient of `outputs` (scalars, unless `gradients` are given) to `.grad` of every leaf that wants one. */
export function backward(
  outputs: readonly Tensor[],
  options: { gradients?: readonly Tensor[]; retainGraph?: boolean } = {},
): void {
  try {
    native.backward(
      slotsOf(outputs),
      options.gradients && slotsOf(options.gradients),
      options.retainGraph ?? false,
    );
  } catch (error) {
    throw explain(error, "backward", outputs);
  }
}

/** The gradients of `outputs` with respect to `inputs`, undefined where one does not depend on the other. */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: { gradients?: readonly Tensor[]; retainGraph?: boolean; createGraph?: boolean } = {},
): (Tensor | undefined)[] {
  try {
    const createGraph = options.createGraph ?? false;
    return native
      .gradientsWith(
        slotsOf(outputs),
        slotsOf(inputs),
        options.gradients && slotsOf(options.gradients),
        options.retainGraph ?? createGraph,
        createGraph,
      )
      .map((slot) => (slot < 0 ? undefined : adopt(slot)));
  } catch (error) {
    throw explain(error, "grad", [...outputs, ...inputs]);
  }
}

/** Runs `body` without recording gradients. Grad mode belongs to the thread, so `body` must be synchronous. */
export function noGrad<R>(body: () => R): R {
  const previous = native.setGradMode(false);
  try {
    return body();
  } finally {
    native.setGradMode(previous);
  }
}

/** Whether operators on this thread record gradients now. */
export function isRecording(): boolean {
  const recording = native.setGradMode(false);
  native.setGradMode(recording);
  return recording;
}

/** As `noGrad`, with less bookkeeping: tensors made inside can never take part in autograd later. */
export function inference<R>(body: () => R): R {
  native.enterInference();
  try {
    return body();
  } finally {
    native.leaveInference();
  }
}
