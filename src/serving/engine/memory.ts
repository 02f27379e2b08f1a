import { LlavaError } from "../../errors.ts";
import { PAGE, type PageStore } from "../../nn/index.ts";
import type { Eyes } from "./eyes.ts";
import type { PageCache } from "./page-cache.ts";
import type { VisionCache } from "./vision-cache.ts";

/** Of the budget, what a single sequence may take: the rest is for what it sees. */
const SHARE_OF_ONE = 0.75;

/** One budget for keys and values, what was seen of images, and media under way. */
export class Memory {
  readonly budget: number;
  readonly #store: PageStore;
  readonly #pages: PageCache;
  readonly #vision: VisionCache;
  readonly #eyes: Eyes;

  constructor(
    budget: number,
    parts: { store: PageStore; pages: PageCache; vision: VisionCache; eyes: Eyes },
  ) {
    this.budget = budget;
    this.#store = parts.store;
    this.#pages = parts.pages;
    this.#vision = parts.vision;
    this.#eyes = parts.eyes;
  }

  get parts() {
    const { budget } = this;
    return { keyValues: this.#store.bytes, vision: this.#vision.bytes, media: this.#eyes.bytes, budget };
  }

  /** Positions of the longest sequence. */
  get longest(): number {
    return Math.floor((this.budget * SHARE_OF_ONE) / this.#store.slabBytes) * this.#perSlab * PAGE;
  }

  /** Pages that can be had without taking one from a sequence. */
  get available(): number {
    const slabs = Math.max(0, Math.floor(this.#left / this.#store.slabBytes));
    return this.#store.free + this.#pages.idle + slabs * this.#perSlab;
  }

  /** A page, at the cost of what nobody uses; undefined if there is nothing left of that. */
  takePage(): number | undefined {
    const { slabBytes } = this.#store;
    while (this.#store.free === 0 && this.#left < slabBytes)
      if (!this.#pages.evict() && !this.#vision.evict()) return undefined;
    return this.#pages.take();
  }

  /** Lets go of what nobody uses until the budget holds. */
  shrink(): void {
    while (this.#left < 0) if (!this.#vision.evict() && !this.#pages.evict()) return;
  }

  get #perSlab(): number {
    return this.#store.slabBytes / this.#store.pageBytes;
  }

  get #left(): number {
    return this.budget - this.#store.bytes - this.#vision.bytes - this.#eyes.bytes;
  }
}

export const memoryTooSmall = (): LlavaError =>
  new LlavaError("prompt", "the prompt, its images and its answer do not fit into the engine's memory", {
    hint: "Give the engine more memory, or ask for fewer tokens.",
  });
