import { LlavaError } from "../errors.ts";
import type { SamplingOptions, ServedSampling } from "../protocol/index.ts";
import { RandomSource, type RandomState } from "../random/index.ts";
import { selectTop } from "./selection.ts";

/** Tokens that may be drawn, in the order of their ids, with probabilities that add up to 1. */
export interface TokenDistribution {
  readonly ids: Uint32Array;
  readonly probabilities: Float64Array;
}

/** How a sampler draws: what is added to the logits of tokens, and taken from those of the answer's, is as in OpenAI's API. */
export type SamplerOptions = SamplingOptions &
  Pick<ServedSampling, "frequencyPenalty" | "presencePenalty" | "logitBias">;

/** What else bears on one choice. */
export interface ChoiceRules {
  /** Ids of the answer so far, each as often as it stands there. */
  readonly answer?: readonly number[];
  /** Makes −∞ of the logits of tokens that may not come. */
  readonly restrict?: ((row: Float32Array) => void) | undefined;
}

/**
 * Chooses tokens from rows of logits. Logit biases, repetition penalty (CTRL, arXiv 1909.05858), penalties of the answer's tokens, temperature, top-k, top-p and min-p
 * are applied in this order and with the meaning they have in transformers; of tokens exactly as likely as the last of
 * the top-p set the highest ids stay. By default the likeliest token is taken; at temperature 0 the filters do nothing.
 */
export class Sampler {
  readonly #temperature: number;
  readonly #topK: number;
  readonly #topP: number;
  readonly #minP: number;
  readonly #penalty: number;
  readonly #frequencyPenalty: number;
  readonly #presencePenalty: number;
  readonly #bias: ReadonlyMap<number, number>;
  readonly #random: RandomSource;

  /** @throws LlavaError "usage" for an option out of its range */
  constructor(options: SamplerOptions = {}, state?: RandomState) {
    this.#temperature = within("temperature", options.temperature ?? 0, (value) => value >= 0, "0 or more");
    this.#topK = within(
      "topK",
      options.topK ?? 0,
      (k) => Number.isInteger(k) && k >= 0,
      "a whole number, 0 or more",
    );
    this.#topP = within("topP", options.topP ?? 1, (p) => p > 0 && p <= 1, "above 0 and up to 1");
    this.#minP = within("minP", options.minP ?? 0, (p) => p >= 0 && p <= 1, "0 to 1");
    this.#penalty = within(
      "repetitionPenalty",
      options.repetitionPenalty ?? 1,
      (value) => value > 0,
      "above 0",
    );
    const isAny = () => true;
    this.#frequencyPenalty = within("frequencyPenalty", options.frequencyPenalty ?? 0, isAny, "a number");
    this.#presencePenalty = within("presencePenalty", options.presencePenalty ?? 0, isAny, "a number");
    this.#bias = options.logitBias ?? new Map();
    for (const value of this.#bias.values()) within("logitBias", value, isAny, "numbers");
    this.#random = new RandomSource(state ?? options.seed ?? 0);
  }

  /** Whether the choice is the largest logit as it stands, so that no row needs to be looked at here. */
  get isArgmax(): boolean {
    return this.#temperature === 0 && this.#leavesLogits;
  }

  /** Of the random numbers: a sampler made with it goes on where this one stands. */
  get state(): RandomState {
    return this.#random.state;
  }

  /**
   * The next token for logits [V]; `seen` are the ids of prompt and answer so far.
   * @throws LlavaError "torch" when a logit is not a number
   */
  choose(logits: Float32Array, seen: Iterable<number>, rules: ChoiceRules = {}): number {
    if (this.#temperature === 0) return argmax(this.#adjusted(logits, seen, rules));
    const { ids, probabilities } = this.distribution(logits, seen, rules);
    let left = this.#random.next();
    for (let index = 0; index < ids.length; index++) {
      left -= probabilities[index]!;
      if (left < 0) return ids[index]!;
    }
    return ids.at(-1)!;
  }

  /** What `choose` draws from at a temperature above 0. */
  distribution(logits: Float32Array, seen: Iterable<number>, rules: ChoiceRules = {}): TokenDistribution {
    const row = this.#adjusted(logits, seen, rules);
    const largest = row[argmax(row)]!;
    let ids = new Uint32Array(row.length);
    for (let id = 0; id < ids.length; id++) ids[id] = id;
    if (this.#topK > 0 && this.#topK < row.length) {
      const { threshold } = selectTop(row, ids, this.#topK);
      ids = filter(ids, (id) => row[id]! >= threshold);
    }
    const weights = new Float64Array(row.length);
    for (const id of ids) weights[id] = Math.exp((row[id]! - largest) / this.#temperature);
    if (this.#topP < 1) ids = nucleus(row, ids, weights, this.#topP);
    // The likeliest token passes all filters and weighs 1.
    ids = filter(ids, (id) => weights[id]! >= this.#minP && weights[id]! > 0);
    const total = totalOf(weights, ids);
    const probabilities = new Float64Array(ids.length);
    for (let index = 0; index < ids.length; index++) probabilities[index] = weights[ids[index]!]! / total;
    return { ids, probabilities };
  }

  get #leavesLogits(): boolean {
    const hasPenalties = this.#penalty !== 1 || this.#frequencyPenalty !== 0 || this.#presencePenalty !== 0;
    return !hasPenalties && this.#bias.size === 0;
  }

  #adjusted(
    logits: Float32Array,
    seen: Iterable<number>,
    { answer = [], restrict }: ChoiceRules,
  ): Float32Array {
    if (this.#leavesLogits && restrict === undefined) return logits;
    const row = logits.slice();
    restrict?.(row);
    const change = (id: number, changed: (value: number) => number) => {
      const value = row[id];
      if (value !== undefined) row[id] = changed(value);
    };
    for (const [id, bias] of this.#bias) change(id, (value) => value + bias);
    if (this.#penalty !== 1)
      for (const id of new Set(seen))
        change(id, (value) => (value < 0 ? value * this.#penalty : value / this.#penalty));
    if (this.#frequencyPenalty !== 0)
      for (const id of answer) change(id, (value) => value - this.#frequencyPenalty);
    if (this.#presencePenalty !== 0)
      for (const id of new Set(answer)) change(id, (value) => value - this.#presencePenalty);
    return row;
  }
}

/** The ids of the fewest largest values whose weights reach `share` of the whole. */
function nucleus(
  row: Float32Array,
  ids: Uint32Array,
  weights: Float64Array,
  share: number,
): Uint32Array<ArrayBuffer> {
  const target = share * totalOf(weights, ids);
  const { threshold, above } = selectTop(row, ids, target, weights);
  let edge = ids.length; // of values equal to the threshold, those from this index on are taken
  for (let mass = above; mass < target && edge > 0; ) {
    const id = ids[--edge]!;
    if (row[id] === threshold) mass += weights[id]!;
  }
  const first = ids[edge]!;
  return filter(ids, (id) => row[id]! > threshold || (row[id] === threshold && id >= first));
}

function totalOf(weights: Float64Array, ids: Uint32Array): number {
  let total = 0;
  for (const id of ids) total += weights[id]!;
  return total;
}

/** As `ids.filter(test)`, which is several times slower. */
function filter(ids: Uint32Array, test: (id: number) => boolean): Uint32Array<ArrayBuffer> {
  const kept = new Uint32Array(ids.length);
  let count = 0;
  for (const id of ids) if (test(id)) kept[count++] = id;
  return kept.slice(0, count);
}

/** Index of the largest value, the first of equals. */
function argmax(row: Float32Array): number {
  let best = 0;
  for (let index = 0; index < row.length; index++) {
    const value = row[index]!;
    if (value > row[best]!) best = index;
    else if (Number.isNaN(value)) {
      throw new LlavaError("torch", `the logit of token ${index} is not a number`, {
        hint: "The weights may be damaged, or the model overflows in float16; try bfloat16 or float32.",
      });
    }
  }
  return best;
}

function within(name: string, value: number, isRight: (value: number) => boolean, range: string): number {
  if (Number.isFinite(value) && isRight(value)) return value;
  throw new LlavaError("usage", `${name} must be ${range}, got ${value}`);
}
