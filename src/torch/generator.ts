import { native } from "./binding.ts";
import { explain } from "./errors.ts";
import type { Numbered } from "./operator.ts";
import { adopt } from "./scope.ts";
import type { Tensor } from "./tensor.ts";

/** A source of random numbers with a state of its own; every random operator takes one. */
export class Generator implements Disposable, Numbered {
  readonly device: string;
  #index: number;

  /** `seed`: a whole number up to 2^53. */
  constructor(seed: number, device = "cpu") {
    this.device = device;
    this.#index = attempt("Generator", [seed, device], () => native.createGenerator(seed, device));
  }

  /** @internal */
  get index(): number {
    return this.#index;
  }

  /** The whole state, as bytes. */
  state(): Tensor {
    return adopt(attempt("Generator.state", [], () => native.generatorState(this.#index)));
  }

  setState(state: Tensor): void {
    attempt("Generator.setState", [state], () => native.setGeneratorState(this.#index, state.slot));
  }

  [Symbol.dispose](): void {
    if (this.#index < 0) return;
    native.releaseGenerator(this.#index);
    this.#index = -1;
  }
}

function attempt<R>(what: string, args: readonly unknown[], body: () => R): R {
  try {
    return body();
  } catch (error) {
    throw explain(error, what, args);
  }
}
