import { empty } from "./functions.ts";
import { keep } from "./scope.ts";
import { Tensor } from "./tensor.ts";

const NONE = -1;

/** Takes a row in the addon's table when something computes with it, not before. */
class MetaTensor extends Tensor {
  readonly #shape: readonly number[];
  #native: Tensor | undefined;
  #isDisposed = false;

  constructor(shape: readonly number[]) {
    super(NONE);
    this.kept = true;
    this.#shape = shape;
    Object.defineProperty(this, "slot", { get: () => (this.#isDisposed ? NONE : this.#made().slot) });
  }

  #made(): Tensor {
    this.#native ??= keep(empty(this.#shape, { device: "meta" }));
    return this.#native;
  }

  override get shape(): readonly number[] {
    return this.#shape;
  }
  override get dtype(): "float32" {
    return "float32";
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

/** A float32 shape without memory or values. Making it and asking for its shape needs no libtorch. */
export const metaTensor = (shape: readonly number[]): Tensor => new MetaTensor(shape);
