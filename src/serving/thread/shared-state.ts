import type { ServedState } from "../../protocol/index.ts";

/** Milliseconds after which a thread that is asked for anything says again where it stands; while a step runs it says nothing. */
export const BEAT = 100;

/** In the order of their places. */
const read = {
  running: (state: ServedState) => state.running,
  waiting: (state: ServedState) => state.waiting,
  keyValues: (state: ServedState) => state.memory.keyValues,
  vision: (state: ServedState) => state.memory.vision,
  media: (state: ServedState) => state.memory.media,
  budget: (state: ServedState) => state.memory.budget,
  promptTokens: (state: ServedState) => state.promptTokens,
  cachedTokens: (state: ServedState) => state.cachedTokens,
  generatedTokens: (state: ServedState) => state.generatedTokens,
  towerImages: (state: ServedState) => state.towerImages,
  visionHits: (state: ServedState) => state.visionHits,
  preemptions: (state: ServedState) => state.preemptions,
  steps: (state: ServedState) => state.steps,
  secondsOfAnswer: (state: ServedState) => state.secondsOfAnswer,
} as const;
const names = Object.keys(read) as (keyof typeof read)[];

/** Where a model stands, in memory that its thread writes and others read at any time. */
export class SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly #numbers: Float64Array;

  constructor(buffer = new SharedArrayBuffer((names.length + 2) * Float64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#numbers = new Float64Array(buffer);
  }

  /** @param received requests that the model was sent so far */
  write(state: ServedState, received: number): void {
    for (const [place, name] of names.entries()) this.#numbers[place] = read[name](state);
    this.#numbers[names.length] = received;
    this.#numbers[names.length + 1] = Date.now();
  }

  /** Requests that the thread had received when it last said where it stands, and when that was, in milliseconds since 1970. */
  get received(): number {
    return this.#numbers[names.length]!;
  }

  get written(): number {
    return this.#numbers[names.length + 1]!;
  }

  read(): Omit<ServedState, "stepMilliseconds"> {
    const of = Object.fromEntries(names.map((name, place) => [name, this.#numbers[place]!])) as Record<
      keyof typeof read,
      number
    >;
    const { keyValues, vision, media, budget, ...rest } = of;
    return { ...rest, memory: { keyValues, vision, media, budget } };
  }
}
