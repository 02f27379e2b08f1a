import type { LanguageModel } from "../models/index.ts";
import { FixedStep, type KeyValueCache } from "../nn/index.ts";
import {
  empty,
  inference,
  keep,
  longTensor,
  type RecordedWork,
  recordWork,
  scope,
  type Tensor,
} from "../torch/index.ts";

/** Positions that recording it takes beyond a row's end. */
const ROOM = 8;

/**
 * A pass in which every row of a cache goes on by one token, recorded once and repeated: on a GPU as a CUDA graph, which pays
 * where launching kernels takes longer than running them.
 */
export class RecordedPass implements Disposable {
  readonly cache: KeyValueCache;
  readonly #step: FixedStep;
  readonly #ids: Tensor; // int64 [B, 1]
  readonly #logits: Tensor; // [B, V]
  readonly #work: RecordedWork;

  /** Whether a cache's rows can go on together so, for a while. */
  static fits({ ropeFactors, length, capacity }: KeyValueCache): boolean {
    return length + ROOM <= capacity && ropeFactors.every((factor) => factor === ropeFactors[0]);
  }

  constructor(model: LanguageModel, cache: KeyValueCache) {
    this.cache = cache;
    const rows = cache.lengths.length;
    const { vocabSize } = model.config;
    this.#step = new FixedStep(cache);
    this.#ids = keep(scope(() => longTensor(Array(rows).fill(0), [rows, 1]).toDevice(cache.device)));
    const logits = (): Tensor =>
      model.logits(model.forward(model.embed(this.#ids), { cache: this.#step }).select(1, 0));
    const dtype = scope(() => logits().dtype);
    this.#logits = keep(empty([rows, vocabSize], { dtype, device: cache.device }));
    this.#work = recordWork(cache.device, () => void this.#logits.copy_(logits()));
  }

  /** The logits [B, V] of what follows these ids, one for each row; they are overwritten by the next pass. */
  run(ids: readonly number[]): Tensor {
    inference(() => {
      scope(() => this.#ids.copy_(longTensor(ids, [ids.length, 1]).toDevice(this.cache.device)));
      this.#step.rewind();
      this.#work.run();
    });
    this.#step.settle(1);
    return this.#logits;
  }

  [Symbol.dispose](): void {
    this.#work[Symbol.dispose]();
    this.#step[Symbol.dispose]();
    for (const tensor of [this.#ids, this.#logits]) tensor.dispose();
  }
}
