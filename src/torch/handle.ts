import { native, type Slot } from "./binding.ts";
import { type DType, dtypeOf } from "./dtype.ts";
import { explain } from "./errors.ts";

/**
 * The object of a row in the addon's table: what scopes, operators and autograd know of a tensor. Its one subclass is Tensor,
 * which stands above the operators that it calls.
 */
export class Handle implements Disposable {
  // Every operator makes one of these: fields that a constructor assigns are inlined in a subclass, initialisers and private
  // names are not.
  /** @internal */ declare slot: Slot;
  /** @internal */ declare kept: boolean;
  declare private knownShape: readonly number[] | undefined;
  declare private knownDType: DType | undefined;

  /** @internal Use the factories. */
  constructor(slot: Slot) {
    this.slot = slot;
    this.kept = false;
    this.knownShape = undefined;
    this.knownDType = undefined;
  }

  get shape(): readonly number[] {
    this.knownShape ??= this.alive((slot) => native.shape(slot));
    return this.knownShape;
  }
  get dtype(): DType {
    this.knownDType ??= dtypeOf(this.alive((slot) => native.dtype(slot)));
    return this.knownDType;
  }
  get device(): string {
    return this.alive((slot) => native.device(slot));
  }
  get disposed(): boolean {
    return this.slot < 0;
  }

  /** What native code reads of this tensor; a TorchError where it was disposed. */
  protected alive<R>(read: (slot: Slot) => R): R {
    try {
      return read(this.slot);
    } catch (error) {
      throw explain(error, "Tensor", [this]);
    }
  }

  /** Frees the memory now. Using the tensor afterwards is a TorchError. */
  dispose(): void {
    if (this.slot < 0) return;
    native.release(this.slot);
    this.slot = -1;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The dtype and shape, as messages name a tensor. */
  describe(): string {
    return this.slot < 0 ? "disposed tensor" : `${this.dtype} [${this.shape.join(", ")}]`;
  }
}
