const [words, shift] = [624, 397];

/**
 * Python's `random` after `random.seed(number)`: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded by its
 * `init_by_array`. Original scorers draw from it what they cannot read.
 */
export class PythonRandom {
  readonly #state = new Uint32Array(words);
  #next = words;

  /** @param seed a whole number, of whatever sign */
  constructor(seed: number) {
    const size = Math.abs(seed);
    const high = Math.floor(size / 2 ** 32);
    this.#seedBy(high > 0 ? [size % 2 ** 32, high] : [size]);
  }

  /** `random.choice(list)`, of Python 3.2 and later. */
  choice<Element>(list: readonly Element[]): Element {
    const bits = 32 - Math.clz32(list.length);
    let index = this.#word() >>> (32 - bits);
    while (index >= list.length) index = this.#word() >>> (32 - bits);
    return list[index]!;
  }

  #seedBy(key: readonly number[]): void {
    const state = this.#state;
    state[0] = 19_650_218;
    for (let i = 1; i < words; i++) state[i] = Math.imul(1_812_433_253, mixed(state, i)) + i;
    let [place, used] = [1, 0];
    const advance = (): void => {
      if (++place < words) return;
      state[0] = state[words - 1]!;
      place = 1;
    };
    for (let turn = Math.max(words, key.length); turn > 0; turn--) {
      state[place] = (state[place]! ^ Math.imul(mixed(state, place), 1_664_525)) + key[used]! + used;
      advance();
      used = (used + 1) % key.length;
    }
    for (let turn = words - 1; turn > 0; turn--) {
      state[place] = (state[place]! ^ Math.imul(mixed(state, place), 1_566_083_941)) - place;
      advance();
    }
    state[0] = 0x80000000;
  }

  /** 32 random bits. */
  #word(): number {
    if (this.#next === words) this.#twist();
    let word = this.#state[this.#next++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < words; i++) {
      const joined = (state[i]! & 0x80000000) | (state[(i + 1) % words]! & 0x7fffffff);
      state[i] = state[(i + shift) % words]! ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}

/** The word before, its upper two bits mixed in. */
const mixed = (state: Uint32Array, place: number): number => {
  const before = state[place - 1]!;
  return before ^ (before >>> 30);
};
