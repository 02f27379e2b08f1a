import { inspect } from "node:util";
import { backward } from "./autograd.ts";
import { native } from "./binding.ts";
import type { DType } from "./dtype.ts";
import { TorchError } from "./errors.ts";
import { Handle } from "./handle.ts";
import { type Operators, operators } from "./operators.ts";
import { adopt, register } from "./scope.ts";

/** libtorch's operators, one function each. */
export const aten: Operators<Tensor> = operators();

type Operand = Tensor | number;

/**
 * An n-dimensional array of libtorch. Elementwise and shape operations are methods and chain; operations of several
 * inputs are functions of this folder. A whole number as operand is an integer scalar, as a Python literal would be.
 */
export class Tensor extends Handle {
  get elements(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  /** Size along one dimension; negative ones count from the end. */
  size(dim: number): number {
    const size = this.shape.at(dim);
    if (size === undefined) throw new TorchError("size", `there is no dimension ${dim}`, [this]);
    return size;
  }

  add(other: Operand): Tensor {
    return typeof other === "number" ? aten.addScalar(this, other) : aten.add(this, other);
  }
  sub(other: Operand): Tensor {
    return typeof other === "number" ? aten.subScalar(this, other) : aten.sub(this, other);
  }
  mul(other: Operand): Tensor {
    return typeof other === "number" ? aten.mulScalar(this, other) : aten.mul(this, other);
  }
  div(other: Operand): Tensor {
    return typeof other === "number" ? aten.divScalar(this, other) : aten.div(this, other);
  }
  add_(other: Tensor, alpha?: number): Tensor {
    return aten.add_(this, other, alpha);
  }
  mul_(other: Operand): Tensor {
    return typeof other === "number" ? aten.mulScalar_(this, other) : aten.mul_(this, other);
  }
  neg(): Tensor {
    return aten.neg(this);
  }
  exp(): Tensor {
    return aten.exp(this);
  }
  log(): Tensor {
    return aten.log(this);
  }
  sqrt(): Tensor {
    return aten.sqrt(this);
  }
  abs(): Tensor {
    return aten.abs(this);
  }
  sin(): Tensor {
    return aten.sin(this);
  }
  cos(): Tensor {
    return aten.cos(this);
  }
  sigmoid(): Tensor {
    return aten.sigmoid(this);
  }
  pow(exponent: number): Tensor {
    return aten.powScalar(this, exponent);
  }
  clamp(min?: number, max?: number): Tensor {
    return aten.clamp(this, min, max);
  }
  bitwiseAnd(mask: number): Tensor {
    return aten.bitwiseAnd(this, mask);
  }
  rightShift(bits: number): Tensor {
    return aten.rightShift(this, bits);
  }
  leftShift(bits: number): Tensor {
    return aten.leftShift(this, bits);
  }
  maskedFill(mask: Tensor, value: number): Tensor {
    return aten.maskedFill(this, mask, value);
  }
  eq(other: Operand): Tensor {
    return typeof other === "number" ? aten.eqScalar(this, other) : aten.eq(this, other);
  }
  le(other: Tensor): Tensor {
    return aten.le(this, other);
  }
  gt(other: number): Tensor {
    return aten.gtScalar(this, other);
  }

  reshape(shape: readonly number[]): Tensor {
    return aten.reshape(this, shape);
  }
  view(shape: readonly number[]): Tensor {
    return aten.view(this, shape);
  }
  /** The same bytes read as another type; the last dimension grows or shrinks with the element's width. */
  viewAs(dtype: DType): Tensor {
    return aten.viewDtype(this, dtype);
  }
  permute(dims: readonly number[]): Tensor {
    return aten.permute(this, dims);
  }
  transpose(dim0: number, dim1: number): Tensor {
    return aten.transpose(this, dim0, dim1);
  }
  unsqueeze(dim: number): Tensor {
    return aten.unsqueeze(this, dim);
  }
  squeeze(dim: number): Tensor {
    return aten.squeeze(this, dim);
  }
  expand(shape: readonly number[]): Tensor {
    return aten.expand(this, shape);
  }
  flatten(start = 0, end = -1): Tensor {
    return aten.flatten(this, start, end);
  }
  contiguous(): Tensor {
    return aten.contiguous(this);
  }
  /** Elements `start` to `end` (exclusive; negative from the end; undefined = to the end) along `dim`: a view. */
  slice(dim: number, start?: number, end?: number, step?: number): Tensor {
    return aten.slice(this, dim, start, end, step);
  }
  select(dim: number, index: number): Tensor {
    return aten.select(this, dim, index);
  }
  /** Splits along `dim` into parts of the given sizes: views. */
  split(sizes: readonly number[], dim = 0): Tensor[] {
    return aten.splitSizes(this, sizes, dim);
  }
  chunk(chunks: number, dim = 0): Tensor[] {
    return aten.chunk(this, chunks, dim);
  }
  /** Rows of `dim` picked by an int64 (or int32) vector. */
  indexSelect(dim: number, index: Tensor): Tensor {
    return aten.indexSelect(this, dim, index);
  }

  sum(dims?: readonly number[], keepDim = false): Tensor {
    return dims === undefined ? aten.sum(this) : aten.sumDims(this, dims, keepDim);
  }
  mean(dims?: readonly number[], keepDim = false): Tensor {
    return dims === undefined ? aten.mean(this) : aten.meanDims(this, dims, keepDim);
  }
  amax(dims: readonly number[] = [], keepDim = false): Tensor {
    return aten.amax(this, dims, keepDim);
  }
  argmax(dim?: number, keepDim = false): Tensor {
    return aten.argmax(this, dim, keepDim);
  }
  matmul(other: Tensor): Tensor {
    return aten.matmul(this, other);
  }

  /** Converted to another dtype; the same tensor where nothing changes. */
  to(dtype: DType): Tensor {
    return dtype === this.dtype ? this : aten.toDtype(this, dtype);
  }
  toDevice(device: string): Tensor {
    return device === this.device ? this : aten.toDevice(this, device, this.dtype);
  }
  clone(): Tensor {
    return aten.clone(this);
  }
  detach(): Tensor {
    return aten.detach(this);
  }
  copy_(source: Tensor): Tensor {
    return aten.copy_(this, source);
  }
  fill_(value: number): Tensor {
    return aten.fill_(this, value);
  }
  zero_(): Tensor {
    return aten.zero_(this);
  }

  get requiresGrad(): boolean {
    return this.alive((slot) => native.requiresGrad(slot));
  }
  requiresGrad_(value = true): this {
    this.alive((slot) => native.setRequiresGrad(slot, value));
    return this;
  }
  /** The accumulated gradient, a new handle each time; undefined before the first backward pass. */
  get grad(): Tensor | undefined {
    const slot = this.alive((own) => native.gradient(own));
    return slot < 0 ? undefined : adopt(slot);
  }
  set grad(value: Tensor | undefined) {
    if (value?.disposed) throw new TorchError("grad", "a tensor was used after it was disposed", [value]);
    this.alive((slot) => native.setGradient(slot, value?.slot ?? -1));
  }
  backward(): void {
    backward([this]);
  }

  /** The only element, as a number. */
  item(): number {
    return this.alive((slot) => native.item(slot));
  }
  /** Raw bytes in row-major order: a copy. */
  toBytes(): Uint8Array {
    return new Uint8Array(this.alive((slot) => native.toBytes(slot)));
  }
  /** All elements in row-major order, converted to float32: a copy. */
  toFloat32Array(): Float32Array {
    const converted = this.to("float32");
    const bytes = converted.alive((slot) => native.toBytes(slot));
    if (converted !== this) converted.dispose();
    return new Float32Array(bytes);
  }
  /** All elements in row-major order; int64 values beyond 2^53 lose precision. */
  toNumbers(): number[] {
    const converted = this.to("float64");
    const bytes = converted.alive((slot) => native.toBytes(slot));
    if (converted !== this) converted.dispose();
    return Array.from(new Float64Array(bytes));
  }

  [inspect.custom](): string {
    if (this.slot < 0 || this.elements > 64) return `Tensor(${this.describe()})`;
    return `Tensor(${this.describe()} ${inspect(this.toNumbers(), { breakLength: Infinity })})`;
  }
}

register(Tensor);
