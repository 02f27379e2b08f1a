import type { Choice, Task } from "./choice.ts";
import type { Eyes } from "./eyes.ts";
import { type Memory, memoryTooSmall } from "./memory.ts";
import type { ServingOptions } from "./options.ts";
import type { PageCache } from "./page-cache.ts";
import { pagesOf } from "./pass.ts";
import type { Places } from "./places.ts";

/** Rows of a step in which somebody waits, if prompts are read in it: what they are over, prompts have less. */
const ROWS_TOGETHER = 16;
/** Tokens of prompts that are read however many answer. */
const FEWEST = 4;

const beside = (answering: number, most: number): number =>
  Math.min(most, Math.max(FEWEST, ROWS_TOGETHER - answering));

interface DealerOptions extends Required<Pick<ServingOptions, "stepTokens" | "interleavedTokens">> {
  /** Takes back all that a choice has. */
  readonly preempt: (choice: Choice) => void;
  readonly fail: (task: Task, error: unknown) => void;
}

/** Deals out a step: first a token to all that answer, then parts of prompts in the order of admission. */
export class Dealer {
  readonly #memory: Memory;
  readonly #places: Places;
  readonly #pages: PageCache;
  readonly #eyes: Eyes;
  readonly #options: DealerOptions;
  #hasInterleaved = false;
  #isWaitedFor = false;

  constructor(
    parts: { memory: Memory; places: Places; pages: PageCache; eyes: Eyes },
    options: DealerOptions,
  ) {
    this.#memory = parts.memory;
    this.#places = parts.places;
    this.#pages = parts.pages;
    this.#eyes = parts.eyes;
    this.#options = options;
  }

  /** Whether the last step read of a prompt while others answered, who do not wait for an image besides. */
  get hasInterleaved(): boolean {
    return this.#hasInterleaved;
  }

  /** Whether somebody answers, who waits for a step to end. */
  get isWaitedFor(): boolean {
    return this.#isWaitedFor;
  }

  /** How many tokens each choice goes on by, for which it then has pages. */
  deal(): Map<Choice, number> {
    const portions = new Map<Choice, number>();
    const { ready } = this.#places;
    const answering = ready.filter(({ isAnswering }) => isAnswering);
    for (const choice of answering) if (this.#grow(choice, 1, portions)) portions.set(choice, 1);
    const { stepTokens, interleavedTokens } = this.#options;
    const isWaitedFor = portions.size > 0;
    this.#isWaitedFor = isWaitedFor;
    const isImagesTurn = isWaitedFor && this.#hasInterleaved && this.#eyes.isBusy;
    let budget = isImagesTurn ? 0 : isWaitedFor ? beside(portions.size, interleavedTokens) : stepTokens;
    this.#hasInterleaved = false;
    const underWay = new Set<string>();
    for (const choice of ready) {
      if (choice.isAnswering || !this.#places.has(choice)) continue;
      if (this.#isReadByAnother(choice, underWay) || budget === 0) continue;
      const tokens = Math.min(budget, choice.length - choice.computed);
      if (!this.#grow(choice, tokens, portions)) continue;
      portions.set(choice, tokens);
      budget -= tokens;
      this.#hasInterleaved = isWaitedFor;
    }
    return portions;
  }

  /** Whether another reads the page that it would go on with, and it waits for that; `underWay` names the pages of those before it. */
  #isReadByAnother(choice: Choice, underWay: Set<string>): boolean {
    if (!this.#pages.isKept) return false;
    this.#places.share(choice);
    const name = choice.pageUnderWay;
    if (name === undefined) return false;
    if (underWay.has(name)) return choice.isBetweenPages;
    underWay.add(name);
    return false;
  }

  /** Gives a choice pages for so many more tokens, at the cost of who came last; false if that is itself, or it is gone. */
  #grow(choice: Choice, tokens: number, portions: Map<Choice, number>): boolean {
    if (!this.#places.has(choice)) return false;
    while (choice.pages.length < pagesOf(choice.computed + tokens)) {
      const page = this.#memory.takePage();
      if (page !== undefined) {
        choice.pages.push(page);
        continue;
      }
      if (this.#places.size === 1) {
        this.#options.fail(choice.task, memoryTooSmall());
        return false;
      }
      const { last } = this.#places;
      this.#options.preempt(last);
      portions.delete(last);
      if (last === choice) return false;
    }
    return true;
  }
}
