import { setImmediate } from "node:timers/promises";
import { LlavaError } from "../../errors.ts";
import { PAGE, type PageStore } from "../../nn/index.ts";
import type { PretrainedLlava } from "../../pretrained/index.ts";
import type { ServedToken } from "../../protocol/index.ts";
import type { Choice, Task } from "./choice.ts";
import { Dealer } from "./dealer.ts";
import { Eyes } from "./eyes.ts";
import { Memory } from "./memory.ts";
import type { ServingOptions } from "./options.ts";
import { PageCache } from "./page-cache.ts";
import { type Outcome, pagesOf, pass } from "./pass.ts";
import { Places } from "./places.ts";
import { Turns } from "./turns.ts";
import { VisionCache } from "./vision-cache.ts";

export interface SchedulerOptions
  extends Required<
    Pick<ServingOptions, "memory" | "maxRunning" | "stepTokens" | "interleavedTokens" | "cache" | "images">
  > {
  /** Told the id and its text's bytes of what a choice said. */
  readonly describe: (choice: Choice, told: NonNullable<Said["told"]>) => ServedToken;
}

type Said = Extract<Outcome, { continuation: unknown }>["continuation"];

/** Weight of the latest answer in the mean time that one takes. */
const LATEST = 0.1;

/** Steps while there is anything to do: admits who has a turn, lets all go on in one pass, sees one tile or less, and yields. */
export class Scheduler implements Disposable {
  readonly #pretrained: PretrainedLlava;
  readonly #options: SchedulerOptions;
  readonly #store: PageStore;
  readonly #pages: PageCache;
  readonly #vision: VisionCache;
  readonly #eyes: Eyes;
  readonly #memory: Memory;
  readonly #turns = new Turns<Choice>();
  readonly #places: Places;
  readonly #dealer: Dealer;
  readonly #ends: ReadonlySet<number | string>;
  readonly #counts = { prompt: 0, cached: 0, generated: 0, preemptions: 0, steps: 0 };
  #secondsOfAnswer = 1;
  #stepBegan: number | undefined;
  #isRunning = false;
  #wake: (() => void) | undefined;

  constructor(pretrained: PretrainedLlava, options: SchedulerOptions) {
    this.#pretrained = pretrained;
    this.#options = options;
    const { processor, model } = pretrained;
    this.#store = model.languageModel.newPages({ slabBytes: Math.min(16 << 20, options.memory / 16) });
    this.#pages = new PageCache(this.#store, options.cache);
    this.#vision = new VisionCache(options.cache);
    this.#eyes = new Eyes(pretrained, this.#vision, options.images);
    const parts = { store: this.#store, pages: this.#pages, vision: this.#vision, eyes: this.#eyes };
    this.#memory = new Memory(options.memory, parts);
    this.#places = new Places(parts, {
      onChange: () => this.#notify(),
      onError: (task, error) => this.#fail(task, error),
    });
    this.#dealer = new Dealer(
      { ...parts, memory: this.#memory, places: this.#places },
      {
        ...options,
        preempt: (choice) => this.#preempt(choice),
        fail: (task, error) => this.#fail(task, error),
      },
    );
    this.#ends = new Set([...processor.stopIds, ...processor.promptFormat.stop]);
  }

  /** Positions of the longest sequence that there is memory for. */
  get longest(): number {
    return this.#memory.longest;
  }

  /** Requests that wait for a turn beyond those that could have one at once. */
  get waiting(): number {
    const tasks = new Set(this.#turns.all().map(({ task }) => task));
    for (const { task } of this.#places.choices) tasks.delete(task);
    return tasks.size;
  }

  get free(): number {
    return Math.max(0, this.#options.maxRunning - this.#places.size);
  }

  get state() {
    const { prompt, cached, generated, preemptions, steps } = this.#counts;
    return {
      running: this.#places.size,
      memory: this.#memory.parts,
      promptTokens: prompt,
      cachedTokens: cached,
      generatedTokens: generated,
      towerImages: this.#eyes.images,
      visionHits: this.#eyes.hits,
      preemptions,
      steps,
      secondsOfAnswer: this.#secondsOfAnswer,
      stepMilliseconds: this.#stepBegan === undefined ? 0 : performance.now() - this.#stepBegan,
    };
  }

  add(task: Task): void {
    for (const choice of task.choices) this.#turns.add(choice);
    this.#notify();
    if (!this.#isRunning) void this.#run();
  }

  /** Ends what is left of a request with what there is. */
  cancel(task: Task): void {
    for (const choice of task.choices) {
      if (choice.isOver) continue;
      const text = choice.sequence.abort();
      if (text !== "") task.stream.push({ type: "delta", choice: choice.index, text });
      this.#finish(choice);
    }
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#turns.size + this.#places.size > 0) {
      this.#stepBegan = performance.now();
      let hasWorked = false;
      try {
        this.#admit();
        hasWorked = this.#step() || this.#eyes.isBusy;
        this.#memory.shrink();
        if (!this.#dealer.hasInterleaved) this.#eyes.look(this.#timeToLook);
      } catch (error) {
        this.stop(error);
      }
      this.#stepBegan = undefined;
      if (hasWorked) await setImmediate();
      else if (this.#turns.size + this.#places.size > 0)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
    this.#isRunning = false;
  }

  /** Whoever answers waits for what is seen half as long as for the step before it. */
  get #timeToLook(): number {
    return this.#dealer.isWaitedFor ? (performance.now() - this.#stepBegan!) / 2 : Infinity;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #admit(): void {
    while (this.#places.size < this.#options.maxRunning) {
      const choice = this.#turns.next(({ mayBegin }) => mayBegin);
      if (choice === undefined || (this.#places.size > 0 && !this.#hasRoomFor(choice))) return;
      this.#turns.remove(choice, { tookTurn: true });
      choice.task.began ??= performance.now();
      this.#places.admit(choice);
    }
  }

  /** Whether it can read its prompt without taking pages from others. */
  #hasRoomFor(choice: Choice): boolean {
    let wanted = pagesOf(choice.length + 1);
    for (const { length, pages } of this.#places.choices)
      wanted += Math.max(0, pagesOf(length) - pages.length);
    return wanted <= this.#memory.available;
  }

  /** Whether there was anything to compute. */
  #step(): boolean {
    const portions = this.#dealer.deal();
    if (portions.size === 0) return false;
    this.#counts.steps++;
    const before = new Map([...portions.keys()].map((choice) => [choice, choice.computed]));
    let outcomes: Outcome[];
    try {
      outcomes = pass(
        this.#pretrained.model,
        this.#store,
        [...portions].map(([choice, tokens]) => ({ choice, tokens })),
        (choice) => this.#places.seen(choice),
      );
    } catch (error) {
      for (const { task } of portions.keys()) this.#fail(task, error);
      return true;
    }
    for (const [choice, start] of before) {
      const isNamed = this.#pages.isKept;
      for (let page = Math.floor(start / PAGE); isNamed && page < Math.floor(choice.computed / PAGE); page++)
        this.#pages.name(choice.pages[page]!, choice.pageName(page));
      if (choice.computed >= choice.task.input.inputIds.length) this.#places.forget(choice);
    }
    for (const outcome of outcomes) this.#tell(outcome);
    return true;
  }

  /** Takes back all that a choice has; it computes it anew when its turn comes. */
  #preempt(choice: Choice): void {
    this.#counts.preemptions++;
    this.#places.leave(choice);
    this.#turns.add(choice, { inFront: true });
  }

  #tell(outcome: Outcome): void {
    const { choice } = outcome;
    const { task, index } = choice;
    if ("error" in outcome) {
      this.#fail(task, outcome.error);
      return;
    }
    if (!task.hasRead) {
      task.hasRead = true;
      this.#counts.prompt += task.input.inputIds.length;
      this.#counts.cached += task.cachedTokens;
      task.stream.push({ type: "prompt", usage: task.usage(0) });
    }
    this.#counts.generated++;
    const { text, told } = outcome.continuation;
    const tokens = told && { tokens: [this.#options.describe(choice, told)] };
    if (text !== "" || tokens) task.stream.push({ type: "delta", choice: index, text, ...tokens });
    if (choice.sequence.isFinished) this.#finish(choice);
  }

  #finish(choice: Choice): void {
    const { task, index, sequence } = choice;
    const { answer } = sequence;
    this.#close(choice);
    const by = answer.stoppedBy;
    task.stream.push({
      type: "finish",
      choice: index,
      reason: answer.finishReason!,
      ...(by !== undefined && !this.#ends.has(by) && { matched: by }),
      usage: task.usage(answer.tokenIds.length),
    });
    if (!task.isOver) return;
    task.stream.end();
    if (task.began === undefined) return;
    const seconds = (performance.now() - task.began) / 1000;
    this.#secondsOfAnswer += LATEST * (seconds - this.#secondsOfAnswer);
  }

  #fail(task: Task, error: unknown): void {
    for (const choice of task.choices) if (!choice.isOver) this.#close(choice);
    task.stream.fail(error);
  }

  #close(choice: Choice): void {
    choice.isOver = true;
    this.#places.leave(choice);
    this.#turns.remove(choice);
    choice.matcher?.[Symbol.dispose]();
    this.#notify();
  }

  /** Ends all that is under way, with the error. */
  stop(error: unknown): void {
    const tasks = new Set([...this.#places.choices, ...this.#turns.all()].map(({ task }) => task));
    for (const task of tasks) this.#fail(task, error);
  }

  [Symbol.dispose](): void {
    this.stop(new LlavaError("usage", "the engine was disposed of while it answered"));
    this.#eyes[Symbol.dispose]();
    this.#vision[Symbol.dispose]();
    this.#store[Symbol.dispose]();
  }
}
