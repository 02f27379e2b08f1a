import type { Communicator, RankGroups } from "../../src/distributed/index.ts";
import type { Tensor } from "../../src/torch/index.ts";

/** Does all that another does. */
class Same implements Communicator {
  readonly #ranks: Communicator;

  constructor(ranks: Communicator) {
    this.#ranks = ranks;
  }
  get rank() {
    return this.#ranks.rank;
  }
  get size() {
    return this.#ranks.size;
  }
  get digest() {
    return this.#ranks.digest ?? 0;
  }
  get waited() {
    return this.#ranks.waited ?? 0;
  }
  sum(tensors: readonly Tensor[]) {
    this.#ranks.sum(tensors);
  }
  gather(part: Tensor, into?: Tensor) {
    return this.#ranks.gather(part, into);
  }
  scatter(whole: Tensor) {
    return this.#ranks.scatter(whole);
  }
  barrier() {
    this.#ranks.barrier();
  }
  /** Watched too. */
  split(size: number): Pick<RankGroups, "within" | "across"> {
    const { within, across } = this.#ranks.split!(size);
    return { within: this.like(within), across: this.like(across) };
  }
  protected like(ranks: Communicator): Communicator {
    return new Same(ranks);
  }
}

/** Gathers nothing ahead of when it is needed. */
export class Eager extends Same {
  override gather(part: Tensor, into?: Tensor) {
    const whole = super.gather(part, into)();
    return () => whole;
  }
  protected override like(ranks: Communicator) {
    return new Eager(ranks);
  }
}

/** Of a rank that computes for 100 s longer before each gather, as it tells the time. */
export class Slow extends Same {
  #longer = 0;

  override get waited() {
    return super.waited - this.#longer;
  }
  override gather(part: Tensor, into?: Tensor) {
    this.#longer += 100;
    return super.gather(part, into);
  }
}

/** Notes the calls that are made to other ranks. */
export class Recorded extends Same {
  readonly calls: string[];

  constructor(ranks: Communicator, calls: string[] = []) {
    super(ranks);
    this.calls = calls;
  }

  protected override like(ranks: Communicator) {
    return new Recorded(ranks, this.calls);
  }

  #note(name: string, ...tensors: readonly Tensor[]): void {
    this.calls.push(`${name} ${tensors.map(({ elements, dtype }) => `${elements} ${dtype}`).join(", ")}`);
  }
  override sum(tensors: readonly Tensor[]) {
    this.#note("sum", ...tensors);
    super.sum(tensors);
  }
  override gather(part: Tensor, into?: Tensor) {
    this.#note("gather", part);
    return super.gather(part, into);
  }
  override scatter(whole: Tensor) {
    this.#note("scatter", whole);
    return super.scatter(whole);
  }
  override barrier() {
    this.#note("barrier");
    super.barrier();
  }
}
