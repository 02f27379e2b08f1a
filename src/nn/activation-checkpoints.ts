import { backward, type Generator, isRecording, keep, scope, type Tensor } from "../torch/index.ts";
import type { Module } from "./module.ts";

/** A part of a forward pass. Run again on the same input it gives the same output. */
type Segment = (hidden: Tensor) => Tensor;

/** Runs the segments of a forward pass, each on the output of the one before; `module` is the one whose weights it takes. */
export type SegmentRunner = (segment: Segment, hidden: Tensor, module?: Module) => Tensor;

/** The same for several inputs, between which the weights stay; without any they only come and go. */
export type SegmentsRunner = (segment: Segment, inputs: readonly Tensor[], module?: Module) => Tensor[];

/** Of what a segment computes, only its output and what its backward pass needs stay in memory. */
export const freeing: SegmentRunner = (segment, hidden) => scope(() => segment(hidden));

/** Weights of segments that are there only while they are needed. */
export interface SegmentWeights {
  /** Where they are. */
  readonly device: string;
  /** Before a forward pass. */
  begin(): void;
  /** Before a segment is computed, in a forward pass or again in the backward pass. */
  open(module: Module, direction: "forward" | "backward"): void;
  /** After it was computed in a forward pass. */
  close(module: Module): void;
  /** After its weights got their gradients. */
  reduce(module: Module): void;
  /** After the backward pass. */
  end(): void;
}

export interface ActivationCheckpointsOptions {
  /** Those that segments draw from (dropout); they give the same numbers again. */
  readonly generators?: readonly Generator[];
  /** false: what lies between is kept after all, and only gone through segment by segment. */
  readonly recomputes?: boolean;
  readonly weights?: SegmentWeights | undefined;
}

/** A segment's way with one input. */
interface Pass {
  readonly input: Tensor;
  readonly output: Tensor;
  /** With its graph, where it is kept. */
  readonly computed: Tensor | undefined;
  /** Of the generators, before the segment drew from them. */
  readonly states: readonly Tensor[];
}

interface Recorded {
  readonly segment: Segment;
  readonly module: Module | undefined;
  readonly passes: readonly Pass[];
}

/**
 * Activation checkpointing (arXiv 1604.06174): of a segment only input and output stay in memory; what lies between is
 * computed again in the backward pass. `run` is what a model's forward pass takes, and `backward` stands in for that of
 * the loss, in the same scope. Gradients are the same to the last bit.
 */
export class ActivationCheckpoints {
  readonly #generators: readonly Generator[];
  readonly #recomputes: boolean;
  readonly #weights: SegmentWeights | undefined;
  #recorded: Recorded[] = [];

  constructor({ generators = [], recomputes = true, weights }: ActivationCheckpointsOptions = {}) {
    this.#generators = generators;
    this.#recomputes = recomputes;
    this.#weights = weights;
  }

  /** Of weights that are there only while they are needed. */
  get device(): string | undefined {
    return this.#weights?.device;
  }

  /** Before a forward pass. */
  begin(): void {
    this.#weights?.begin();
  }

  readonly run: SegmentRunner = (segment, input, module) => this.runEach(segment, [input], module)[0]!;

  readonly runEach: SegmentsRunner = (segment, inputs, module) => {
    if (module) this.#weights?.open(module, "forward");
    const outputs = this.#run(segment, inputs, module);
    if (module) this.#weights?.close(module);
    return outputs;
  };

  #run(segment: Segment, inputs: readonly Tensor[], module: Module | undefined): Tensor[] {
    if (!isRecording()) return inputs.map((input) => freeing(segment, input));
    const passes = inputs.map((input) => this.#pass(segment, input));
    const outputs = passes.map(({ output }) => output);
    // Others may go through what has no gradient here, and then all do.
    if (outputs.some(({ requiresGrad }) => requiresGrad) || this.#weights)
      this.#recorded.push({ segment, module, passes });
    return outputs;
  }

  #pass(segment: Segment, input: Tensor): Pass {
    const states = this.#recomputes ? this.#generators.map((generator) => generator.state()) : [];
    let kept: Tensor | undefined;
    // Recorded and dropped: segments may behave otherwise without recording, as dropout does.
    const output = scope(() => {
      const computed = segment(input);
      if (!this.#recomputes) kept = keep(computed);
      return computed.detach().requiresGrad_(computed.requiresGrad);
    });
    return { input, output, computed: kept, states };
  }

  /** Forgets the segments run since the last call of `backward`, which will not be gone through. */
  forget(): void {
    for (const { passes } of this.#recorded) for (const { computed } of passes) computed?.dispose();
    this.#recorded = [];
  }

  /** Adds the gradient of `loss`, a scalar, to every leaf's, through all segments run since the last call. */
  backward(loss: Tensor): void {
    const recorded = this.#recorded;
    this.#recorded = [];
    const outputs = new Set(recorded.flatMap(({ passes }) => passes.map(({ output }) => output)));
    if (loss.requiresGrad) backward([loss]);
    const drawn = this.#generators.map((generator) => generator.state());
    for (const { segment, module, passes } of recorded.reverse()) {
      if (module) this.#weights?.open(module, "backward");
      for (const pass of passes.toReversed()) {
        scope(() => {
          const gradient = pass.output.grad;
          if (gradient === undefined) return; // nothing that counts came after it
          this.#through(segment, pass, gradient, outputs);
          pass.output.dispose();
        });
        pass.computed?.dispose();
      }
      if (module) this.#weights?.reduce(module);
    }
    this.#rewind(drawn);
    this.#weights?.end();
  }

  #through(
    segment: Segment,
    { input, computed, states }: Pass,
    gradient: Tensor,
    outputs: ReadonlySet<Tensor>,
  ): void {
    if (computed !== undefined) {
      backward([computed], { gradients: [gradient] });
      return;
    }
    this.#rewind(states);
    // What else of the loss the input had a part in comes first in the sum, as in a pass through the whole graph.
    const others = outputs.has(input) ? input.grad : undefined;
    if (others === undefined) backward([freeing(segment, input)], { gradients: [gradient] });
    else {
      input.grad = undefined;
      const joined = input.view(input.shape);
      backward([freeing(segment, joined), joined], { gradients: [gradient, others] });
    }
  }

  #rewind(states: readonly Tensor[]): void {
    for (const [i, generator] of this.#generators.entries()) generator.setState(states[i]!);
  }
}
