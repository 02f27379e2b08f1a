import { PAGE } from "../../nn/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { Choice, Task } from "./choice.ts";
import type { DecodedMedium, Eyes } from "./eyes.ts";
import type { PageCache } from "./page-cache.ts";
import type { VisionCache } from "./vision-cache.ts";

/** What a choice under way holds besides pages. */
interface Place {
  readonly abort: AbortController;
  /** Of each medium, where it is not in the cache with all that precedes it. */
  readonly seen: (Tensor | undefined)[];
  /** Digests of what is seen. */
  readonly held: string[];
  isReady: boolean;
}

/** Who is under way, in the order of admission: finds what is cached of their prompts, and has seen what is not. */
export class Places {
  readonly #places = new Map<Choice, Place>();
  readonly #eyes: Eyes;
  readonly #pages: PageCache;
  readonly #vision: VisionCache;
  readonly #onChange: () => void;
  readonly #onError: (task: Task, error: unknown) => void;

  constructor(
    { eyes, pages, vision }: { eyes: Eyes; pages: PageCache; vision: VisionCache },
    told: { onChange: () => void; onError: (task: Task, error: unknown) => void },
  ) {
    this.#eyes = eyes;
    this.#pages = pages;
    this.#vision = vision;
    this.#onChange = told.onChange;
    this.#onError = told.onError;
  }

  get size(): number {
    return this.#places.size;
  }

  get choices(): readonly Choice[] {
    return [...this.#places.keys()];
  }

  /** Those that have seen what they need. */
  get ready(): readonly Choice[] {
    return [...this.#places].flatMap(([choice, { isReady }]) => (isReady ? [choice] : []));
  }

  /** The least urgent, and of these who came last. */
  get last(): Choice {
    return this.choices.reduce((one, other) => (other.priority >= one.priority ? other : one));
  }

  has(choice: Choice): boolean {
    return this.#places.has(choice);
  }

  /** What is seen of each medium of a choice's prompt. */
  seen(choice: Choice): readonly (Tensor | undefined)[] {
    return this.#places.get(choice)!.seen;
  }

  /** Ready at once where there are no media. */
  admit(choice: Choice): void {
    const place: Place = { abort: new AbortController(), seen: [], held: [], isReady: false };
    this.#places.set(choice, place);
    void this.#begin(choice, place);
  }

  /** Gives back all that a choice holds. */
  leave(choice: Choice): void {
    const place = this.#places.get(choice);
    if (place === undefined) return;
    this.#places.delete(choice);
    place.abort.abort();
    this.#forget(place);
    this.#pages.release(choice.pages.splice(0));
    choice.computed = 0;
    choice.found = 0;
  }

  /** What was seen of its media is needed no more. */
  forget(choice: Choice): void {
    const place = this.#places.get(choice);
    if (place !== undefined) this.#forget(place);
  }

  #forget(place: Place): void {
    for (const digest of place.held.splice(0)) this.#vision.release(digest);
    place.seen.length = 0;
  }

  async #begin(choice: Choice, place: Place): Promise<void> {
    const { task } = choice;
    const { signal } = place.abort;
    const decoded: (DecodedMedium | undefined)[] = [];
    const decode = async (index: number): Promise<DecodedMedium> => {
      const salt = JSON.stringify([task.owner, task.salt]);
      const medium = await this.#eyes.decode(task.input, index, { salt, signal });
      decoded[index] = medium;
      signal.throwIfAborted();
      return medium;
    };
    try {
      if (task.digests === undefined) {
        const digests: string[] = [];
        for (const index of task.input.media.keys()) digests.push((await decode(index)).digest);
        task.digests = digests;
      }
      this.share(choice);
      for (const [index, { start, length }] of task.input.places.entries()) {
        if (start + length <= choice.computed) continue;
        const medium = decoded[index] ?? (await decode(index));
        const seen = this.#eyes.see(medium, signal);
        this.#onChange();
        place.seen[index] = await seen;
        place.held.push(medium.digest);
        if (signal.aborted) this.#forget(place);
        signal.throwIfAborted();
      }
      place.isReady = true;
    } catch (error) {
      if (!signal.aborted) this.#onError(task, error);
    } finally {
      for (const medium of decoded) if (medium !== undefined) this.#eyes.letGo(medium);
      this.#onChange();
    }
  }

  /** Takes the cached pages that a choice goes on with; its last token is computed in any case. */
  share(choice: Choice): void {
    while (this.#pages.isKept && choice.isBetweenPages) {
      const name = choice.pageUnderWay;
      const shared = name === undefined ? undefined : this.#pages.share(name);
      if (shared === undefined) break;
      choice.pages.push(shared);
      choice.computed += PAGE;
      choice.found += PAGE;
    }
    const { task } = choice;
    if (!task.hasRead && choice.index === 0) task.cachedTokens = choice.found;
  }
}
