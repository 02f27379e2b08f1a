import { native } from "./binding.ts";
import { explain } from "./errors.ts";
import type { Handle } from "./handle.ts";
import { adopt } from "./scope.ts";

const slotsOf = (tensors: readonly Handle[]): number[] => tensors.map((tensor) => tensor.slot);

/** Adds the gradient of `outputs` (scalars, unless `gradients` are given) to `.grad` of every leaf that wants one. */
export function backward(
  outputs: readonly Handle[],
  options: { gradients?: readonly Handle[]; retainGraph?: boolean } = {},
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
export function grad<T extends Handle>(
  outputs: readonly Handle[],
  inputs: readonly T[],
  options: { gradients?: readonly Handle[]; retainGraph?: boolean; createGraph?: boolean } = {},
): (T | undefined)[] {
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
      .map((slot) => (slot < 0 ? undefined : adopt<T>(slot)));
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
