import { backward, type Generator, isRecording, scope, type Tensor } from "../torch/index.ts";

/** A part of a forward pass. Run again on the same input it gives the same output. */
type Segment = (hidden: Tensor) => Tensor;

/** Runs the segments of a forward pass, each on the output of the one before. */
export type SegmentRunner = (segment: Segment, hidden: Tensor) => Tensor;

/** Of what a segment computes, only its output and what its backward pass needs stay in memory. */
export const freeing: SegmentRunner = (segment, hidden) => scope(() => segment(hidden));

interface Recorded {
  readonly segment: Segment;
  readonly input: Tensor;
  readonly output: Tensor;
  /** Of the generators, before the segment drew from them. */
  readonly states: readonly Tensor[];
}

/**
 * Activation checkpointing (arXiv 1604.06174): of a segment only input and output stay in memory; what lies between is
 * computed again in the backward pass. `run` is what a model's forward pass takes, and `backward` stands in for that of
 * the loss, in the same scope. Gradients are the same to the last bit.
 */
export class ActivationCheckpoints {
  readonly #generators: readonly Generator[];
  #recorded: Recorded[] = [];

  /** `generators`: those that segments draw from (dropout); they give the same numbers again. */
  constructor(generators: readonly Generator[] = []) {
    this.#generators = generators;
  }

  readonly run: SegmentRunner = (segment, input) => {
    if (!isRecording()) return freeing(segment, input);
    const states = this.#generators.map((generator) => generator.state());
    // Recorded and dropped: segments may behave otherwise without recording, as dropout does.
    const output = scope(() => {
      const computed = segment(input);
      return computed.detach().requiresGrad_(computed.requiresGrad);
    });
    if (output.requiresGrad) this.#recorded.push({ segment, input, output, states });
    return output;
  };

  /** Forgets the segments run since the last call of `backward`, which will not be gone through. */
  forget(): void {
    this.#recorded = [];
  }

  /** Adds the gradient of `loss`, a scalar, to every leaf's, through all segments run since the last call. */
  backward(loss: Tensor): void {
    const recorded = this.#recorded;
    this.#recorded = [];
    const outputs = new Set(recorded.map(({ output }) => output));
    backward([loss]);
    const drawn = this.#generators.map((generator) => generator.state());
    for (const { segment, input, output, states } of recorded.reverse())
      scope(() => {
        const gradient = output.grad;
        if (gradient === undefined) return; // nothing that counts came after it
        this.#rewind(states);
        // What else of the loss the input had a part in comes first in the sum, as in a pass through the whole graph.
        const others = outputs.has(input) ? input.grad : undefined;
        if (others === undefined) backward([freeing(segment, input)], { gradients: [gradient] });
        else {
          input.grad = undefined;
          const joined = input.view(input.shape);
          backward([freeing(segment, joined), joined], { gradients: [gradient, others] });
        }
        output.dispose();
      });
    this.#rewind(drawn);
  }

  #rewind(states: readonly Tensor[]): void {
    for (const [i, generator] of this.#generators.entries()) generator.setState(states[i]!);
  }
}
