import { type DType, empty, keep, noGrad, scope, type Tensor } from "../../torch/index.ts";

/** Memory that whole weights are gathered into, one unit after another: new memory would have to be cleared each time. */
export class Buffers implements Disposable {
  readonly #free: Tensor[] = [];

  /** [elements], with anything in it. */
  take(elements: number, dtype: DType, device: string): Tensor {
    const at = this.#free.findIndex(
      (each) => each.elements === elements && each.dtype === dtype && each.device === device,
    );
    if (at >= 0) return this.#free.splice(at, 1)[0]!;
    return noGrad(() => scope(() => keep(empty([elements], { dtype, device }))));
  }

  give(buffer: Tensor): void {
    this.#free.push(buffer);
  }

  [Symbol.dispose](): void {
    for (const buffer of this.#free.splice(0)) buffer.dispose();
  }
}
