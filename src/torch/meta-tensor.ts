import type { DType } from "./dtype.ts";
import { empty } from "./functions.ts";
import { keep } from "./scope.ts";
import { Tensor } from "./tensor.ts";

const NONE = -1;

/** Takes a row in the addon's table when something computes with it, not before. */
class MetaTensor extends Tensor {
  readonly #shape: readonly number[];
  readonly #dtype: DType;
  #native: Tensor | undefined;
  #isDisposed = false;

  constructor(shape: readonly number[], dtype: DType) {
    super(NONE);
    this.kept = true;
    this.#shape = shape;
    this.#dtype = dtype;
    Object.defineProperty(this, "slot", { get: () => (this.#isDisposed ? NONE : this.#made().slot) });
  }

  #made(): Tensor {
    this.#native ??= keep(empty(this.#shape, { dtype: this.#dtype, device: "meta" }));
    return this.#native;
  }

  override get shape(): readonly number[] {
    return this.#shape;
  }
  override get dtype(): DType {
    return this.#dtype;
  }
  override get device(): string {
    return "meta";
  }
  override get disposed(): boolean {
    return this.#isDisposed;
  }

  override dispose(): void {
    this.#isDisposed = true;
    this.#native?.dispose();
  }
}

/** A shape without memory or values. Making it and asking for its shape needs no libtorch. */
export const metaTensor = (shape: readonly number[], dtype: DType = "float32"): Tensor =>
  new MetaTensor(shape, dtype);
