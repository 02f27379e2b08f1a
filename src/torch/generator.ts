import { native } from "./binding.ts";
import { adopt } from "./scope.ts";
import type { Tensor } from "./tensor.ts";

/** A source of random numbers with a state of its own; every random operator takes one. */
export class Generator implements Disposable {
  readonly index: number;

  constructor(seed: number, device = "cpu") {
    this.index = native.createGenerator(seed, device);
  }

  /** The whole state, as bytes. */
  state(): Tensor {
    return adopt(native.generatorState(this.index));
  }

  setState(state: Tensor): void {
    native.setGeneratorState(this.index, state.slot);
  }

  [Symbol.dispose](): void {
    native.releaseGenerator(this.index);
  }
}
