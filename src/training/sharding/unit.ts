import type { Communicator, Pending } from "../../distributed/index.ts";
import { type ParameterPlace, placeholder } from "../../nn/index.ts";
import {
  byteWidth,
  cat,
  type DType,
  isFloating,
  keep,
  noGrad,
  releasePages,
  scope,
  type Tensor,
  zeros,
} from "../../torch/index.ts";
import type { Buffers } from "./buffers.ts";

/** A parameter in a unit. */
interface Member {
  readonly name: string;
  readonly put: ParameterPlace["put"];
  readonly shape: readonly number[];
  readonly elements: number;
  /** As it is computed with. */
  readonly dtype: DType;
  /** Where it begins in the unit, entries. */
  readonly offset: number;
  /** Entries that it takes. */
  readonly length: number;
  /** What is in its place while it is not whole here. */
  readonly stand: Tensor;
}

/** A part of a parameter that lies on this rank, as a view. */
export interface Piece {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly elements: number;
  readonly weight: Tensor;
  /** Where it begins in this rank's part. */
  readonly start: number;
}

export interface UnitOptions {
  readonly communicator: Communicator;
  /** Whether its weights learn: then masters are float32, and gradients are summed over the ranks. */
  readonly learns: boolean;
  /** Element type of the whole weights, where they are floating-point; as they are without it. */
  readonly dtype: DType | undefined;
  readonly device: string;
  /** Of all units together. */
  readonly buffers: Buffers;
}

/** Bytes at which parameters begin. */
const ALIGNMENT = 256;

const upTo = (value: number, step: number): number => Math.ceil(value / step) * step;

/**
 * Parameters that are gathered, summed and given up together: laid end to end, of which each rank has an equal part. Entries
 * are float32 numbers of weights that learn, and bytes of frozen ones, whatever they are kept in.
 */
export class Unit implements Disposable {
  readonly learns: boolean;
  readonly #communicator: Communicator;
  readonly #buffers: Buffers;
  readonly #gathered: DType;
  readonly #members: readonly Member[];
  /** Entries of all ranks' parts together. */
  readonly #size: number;
  /** Entries of a rank's. */
  readonly #part: number;
  #shard: Tensor;
  #gathering: Pending | undefined;
  #whole: Tensor | undefined;
  #reducing: Pending | undefined;
  #gradient: Tensor | undefined;
  /** Members that a gradient came to since the last update. */
  readonly #reached = new Set<string>();

  /** Takes the parameters out of their places: each rank copies its part of them alone. */
  constructor(
    places: readonly ParameterPlace[],
    { communicator, learns, dtype, device, buffers }: UnitOptions,
  ) {
    this.learns = learns;
    this.#buffers = buffers;
    this.#communicator = communicator;
    this.#gathered = learns ? (dtype ?? "float32") : "uint8";
    const step = learns ? ALIGNMENT / byteWidth.float32 : ALIGNMENT;
    let end = 0;
    this.#members = places.map(({ name, put, tensor: { shape, elements, dtype: kept } }) => {
      const offset = upTo(end, step);
      const own = dtype !== undefined && isFloating(kept) ? dtype : kept;
      const length = learns ? elements : elements * byteWidth[own];
      end = offset + length;
      return { name, put, shape, elements, dtype: own, offset, length, stand: placeholder(shape, own) };
    });
    this.#size = upTo(end, step * communicator.size);
    this.#part = this.#size / communicator.size;
    this.#shard = noGrad(() =>
      scope(() => {
        const shard = zeros([this.#part], { dtype: learns ? "float32" : "uint8" });
        for (const [i, member] of this.#members.entries()) {
          const { tensor } = places[i]!;
          scope(() => this.#take(shard, member, tensor));
          member.put(member.stand);
          releasePages(tensor);
          tensor.dispose();
        }
        return keep(shard.toDevice(device));
      }),
    );
  }

  /** Copies what of a whole parameter lies on this rank. */
  #take(shard: Tensor, member: Member, whole: Tensor): void {
    const own = this.#own(member);
    if (own === undefined) return;
    const { start, from, to } = own;
    const width = this.learns ? 1 : byteWidth[member.dtype];
    const values = whole
      .detach()
      .flatten()
      .slice(0, from / width, to / width);
    const target = shard.slice(0, start, start + to - from);
    (this.learns ? target : target.viewAs(member.dtype)).copy_(values);
  }

  /** Which entries of a member lie on this rank, and where in its part. */
  #own({ offset, length }: Member): { start: number; from: number; to: number } | undefined {
    const first = this.#communicator.rank * this.#part;
    const from = Math.max(first, offset);
    const to = Math.min(first + this.#part, offset + length);
    return from < to ? { start: from - first, from: from - offset, to: to - offset } : undefined;
  }

  get names(): readonly string[] {
    return this.#members.map(({ name }) => name);
  }

  /** What stands in for the parameters where they are not whole here. */
  get stands(): readonly Tensor[] {
    return this.#members.map(({ stand }) => stand);
  }

  /** What this rank updates, of a unit that learns. */
  pieces(): Piece[] {
    return this.#members.flatMap((member) => {
      const own = this.#own(member);
      if (own === undefined) return [];
      const { start, from, to } = own;
      const weight = scope(() => keep(this.#shard.slice(0, start, start + to - from)));
      return [{ name: member.name, from, to, elements: member.elements, weight, start }];
    });
  }

  /** Whether this rank's part is all there is: it needs no copy where it is computed with as it is kept. */
  get #isAlone(): boolean {
    return this.#part === this.#size;
  }

  get #isWhole(): boolean {
    return this.#isAlone && this.#gathered === this.#shard.dtype;
  }

  /** Begins to gather, where that is not done. */
  begin(): void {
    if (this.#gathering || this.#whole || this.#isWhole) return;
    const into = this.#buffers.take(this.#size, this.#gathered, this.#shard.device);
    this.#gathering = noGrad(() =>
      scope(() => this.#communicator.gather(this.#shard.to(this.#gathered), into)),
    );
  }

  /** Puts the whole parameters into their places. */
  open(): void {
    if (this.#whole) return;
    this.begin();
    noGrad(() =>
      scope(() => {
        const whole = this.#isWhole ? this.#shard : keep(this.#gathering!());
        this.#gathering = undefined;
        this.#whole = whole;
        this.#views = this.#members.map((member) => keep(this.#view(whole, member)));
        for (const [i, { put }] of this.#members.entries()) put(this.#views[i]!);
      }),
    );
  }
  #views: readonly Tensor[] = [];

  #view(whole: Tensor, { offset, length, dtype, shape }: Member): Tensor {
    const flat = whole.slice(0, offset, offset + length);
    const typed = this.learns ? flat : flat.viewAs(dtype);
    return typed.view(shape).detach().requiresGrad_(this.learns);
  }

  /** A whole parameter, of a unit that is open. */
  valueAt(member: number): Tensor {
    return this.#views[member]!;
  }

  /** Gives the whole parameters up. */
  close(): void {
    if (!this.#whole) return;
    for (const { put, stand } of this.#members) put(stand);
    for (const view of this.#views) view.dispose();
    this.#views = [];
    if (this.#whole !== this.#shard) this.#buffers.give(this.#whole);
    this.#whole = undefined;
  }

  /** This rank's part, once more. */
  copy(): Tensor {
    return noGrad(() => scope(() => keep(this.#shard.clone())));
  }

  /** Gathers another part of this rank from now on, and gives the one that it was. */
  exchange(part: Tensor): Tensor {
    this.close();
    const before = this.#shard;
    this.#shard = part;
    return before;
  }

  /** Begins to sum the gradients that a backward pass left, over the ranks: zeros where it left none. */
  reduce(): void {
    if (!this.learns) return;
    this.settle();
    this.#reducing = noGrad(() =>
      scope(() => {
        const parts: Tensor[] = [];
        let end = 0;
        for (const [i, { name, offset, length }] of this.#members.entries()) {
          const view = this.#views[i]!;
          const { grad, device } = view;
          if (offset > end) parts.push(zeros([offset - end], { device }));
          parts.push(grad ? grad.flatten().to("float32") : zeros([length], { device }));
          if (grad) this.#reached.add(name);
          view.grad = undefined;
          end = offset + length;
        }
        if (this.#size > end) parts.push(zeros([this.#size - end], { device: this.#shard.device }));
        const whole = cat(parts);
        if (!this.#isAlone) return this.#communicator.scatter(whole);
        const own = keep(whole);
        return () => own;
      }),
    );
  }

  /** Adds what was summed to the gradients of this rank's part. */
  settle(): void {
    if (!this.#reducing) return;
    const own = keep(this.#reducing());
    this.#reducing = undefined;
    if (!this.#gradient) {
      this.#gradient = own;
      return;
    }
    noGrad(() => scope(() => void this.#gradient!.add_(own)));
    own.dispose();
  }

  /** Members that a gradient came to on this rank. */
  get reached(): ReadonlySet<string> {
    return this.#reached;
  }

  /** Of this rank's part, summed over the ranks. */
  get gradient(): Tensor | undefined {
    return this.#gradient;
  }

  /** Of a piece. */
  gradientOf({ start, from, to }: Piece): Tensor {
    return this.#gradient!.slice(0, start, start + to - from);
  }

  clearGradients(): void {
    this.#gradient?.dispose();
    this.#gradient = undefined;
    this.#reached.clear();
  }

  [Symbol.dispose](): void {
    this.close();
    this.clearGradients();
    this.#shard.dispose();
  }
}
