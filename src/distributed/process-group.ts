import {
  aten,
  byteWidth,
  empty,
  keep,
  noGrad,
  openNccl,
  type Store,
  scope,
  type Tensor,
} from "../torch/index.ts";
import { Calls } from "./calls.ts";
import type { Communicator, Pending, RankGroups } from "./communicator.ts";
import type { Place } from "./place.ts";

/** Milliseconds after which NCCL ends a process that still waits; the watch is far sooner where a rank is lost. */
const NCCL_TIMEOUT = 1_800_000;
/** Opens another group, which all its ranks do together. */
type OpenGroup = (group: { readonly name: string; readonly rank: number; readonly size: number }) => void;

/** Bytes that are summed at once. */
const BUCKET = 64 * 2 ** 20;

/** A group of processes that libtorch knows by its name (see `openGroup`). */
export class ProcessGroup implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly localRank: number;
  readonly #name: string;
  readonly #store: Store;
  readonly #calls: Calls;
  readonly #open: OpenGroup | undefined;
  readonly #splits = new Map<number, Pick<RankGroups, "within" | "across">>();
  #meetings = 0;

  /** Whether the group has a backend for GPUs. */
  #hasNccl = false;

  constructor(
    name: string,
    { rank, ranks, localRank }: Pick<Place, "rank" | "ranks" | "localRank">,
    store: Store,
    calls = new Calls(),
    open?: OpenGroup,
  ) {
    this.rank = rank;
    this.size = ranks;
    this.localRank = localRank;
    this.#name = name;
    this.#store = store;
    this.#calls = calls;
    this.#open = open;
  }

  get digest(): number {
    return this.#calls.made.digest;
  }

  get waited(): number {
    return this.#calls.waited;
  }

  sum(tensors: readonly Tensor[]): void {
    for (const bucket of buckets(tensors))
      noGrad(() =>
        scope(() => {
          this.#count(1, ...bucket);
          aten.allReduceMany_(bucket, "sum", this.#name);
          this.#wait(bucket);
        }),
      );
  }

  #wait(tensors: readonly Tensor[]): void {
    this.#calls.waiting(() => {
      for (const tensor of tensors) aten.waitTensor(tensor);
    });
  }

  gather(part: Tensor, into?: Tensor): Pending {
    this.#count(2, part);
    return this.#pending(() => {
      const { shape, dtype, device } = part;
      const whole = into ?? empty([this.size * shape[0]!, ...shape.slice(1)], { dtype, device });
      aten.allGatherInto(part.contiguous(), this.size, this.#name, whole);
      return whole;
    });
  }

  scatter(whole: Tensor): Pending {
    this.#count(3, whole);
    return this.#pending(() => aten.reduceScatter(whole.contiguous(), "sum", this.size, this.#name));
  }

  /** The result outlives the scope that it is begun in. */
  #pending(begin: () => Tensor): Pending {
    const result = noGrad(() => scope(() => keep(begin())));
    return () => {
      noGrad(() => scope(() => this.#wait([result])));
      return result;
    };
  }

  /** By the store, since operators of the group give up after a time. */
  barrier(): void {
    this.#calls.waiting(() => this.#meet());
  }

  #meet(): void {
    const meeting = `${this.#name}/meeting/${this.#meetings++}`;
    if (this.rank > 0) {
      this.#store.set(`${meeting}/${this.rank}`, "here");
      this.#await(`${meeting}/all`);
      return;
    }
    for (let rank = 1; rank < this.size; rank++) this.#await(`${meeting}/${rank}`);
    this.#store.set(`${meeting}/all`, "here");
  }

  split(size: number): Pick<RankGroups, "within" | "across"> {
    const known = this.#splits.get(size);
    if (known) return known;
    const [group, place] = [Math.floor(this.rank / size), this.rank % size];
    const join = (name: string, rank: number, ranks: number): ProcessGroup => {
      const full = `${this.#name}/${name}`;
      this.#open!({ name: full, rank, size: ranks });
      return new ProcessGroup(full, { rank, ranks, localRank: this.localRank }, this.#store, this.#calls);
    };
    const split = {
      within: join(`${size}-within-${group}`, place, size),
      across: join(`${size}-across-${place}`, group, this.size / size),
    };
    this.#splits.set(size, split);
    return split;
  }

  #await(name: string): void {
    // So that nobody comes much later than the last: the wait's sixth, at most.
    for (let pause = 1; !this.#store.has(name); pause = Math.min(1.2 * pause, 200)) sleep(pause);
  }

  /** What all ranks must do alike. Tensors on GPUs go by NCCL, which the first of them opens. */
  #count(operation: number, ...tensors: readonly Tensor[]): void {
    const [{ device }] = tensors as [Tensor];
    if (device !== "cpu" && !this.#hasNccl) {
      openNccl(this.#name, device, NCCL_TIMEOUT);
      this.#hasNccl = true;
    }
    this.#calls.add(tensors.flatMap(({ elements, dtype }) => [operation, elements, byteWidth[dtype]]));
  }
}

const clock = new Int32Array(new SharedArrayBuffer(4));
const sleep = (milliseconds: number): void => void Atomics.wait(clock, 0, 0, milliseconds);

/** Several at a time, in their order. */
function buckets(tensors: readonly Tensor[]): Tensor[][] {
  const all: Tensor[][] = [];
  let bytes = Infinity;
  for (const tensor of tensors) {
    const own = tensor.elements * byteWidth[tensor.dtype];
    if (bytes + own > BUCKET) all.push([]);
    bytes = bytes + own > BUCKET ? own : bytes + own;
    all.at(-1)!.push(tensor);
  }
  return all;
}
