import type { OpenedPrompt, Sequence } from "../../generation/index.ts";
import { PAGE } from "../../nn/index.ts";
import { PartStream } from "../../part-stream.ts";
import type { ServedPart, Usage } from "../../protocol/index.ts";
import type { Matcher } from "./constraint.ts";
import { type PlacedMedium, PrefixNames } from "./prefix.ts";
import type { Waiting } from "./turns.ts";

/** A prompt in ids, with what is to be seen among them. */
export type ServedInput = Pick<
  OpenedPrompt,
  "inputIds" | "places" | "media" | "sources" | "refusal" | "imageTokens" | "ropeFactor"
>;

/** A request under way. */
export class Task {
  readonly stream = new PartStream<ServedPart>();
  readonly choices: Choice[] = [];
  readonly input: ServedInput;
  readonly owner: string;
  readonly salt: string;
  readonly priority: number;
  /** When it had its first turn. */
  began: number | undefined;
  /** Of the media, once they were decoded. */
  digests: readonly string[] | undefined;
  /** Tokens of the prompt that were found in the cache when it was read. */
  cachedTokens = 0;
  hasRead = false;

  constructor(
    input: ServedInput,
    { owner = "", salt = "", priority = 0 }: { owner?: string; salt?: string; priority?: number },
  ) {
    this.input = input;
    this.owner = owner;
    this.salt = salt;
    this.priority = priority;
  }

  get isOver(): boolean {
    return this.choices.every(({ isOver }) => isOver);
  }

  usage(completionTokens: number): Usage {
    return {
      promptTokens: this.input.inputIds.length,
      imageTokens: this.input.imageTokens,
      completionTokens,
      ...(this.cachedTokens > 0 && { cachedTokens: this.cachedTokens }),
    };
  }
}

/** One of a request's answers: a sequence, the pages that hold its keys and values, and what it still has to see. */
export class Choice implements Waiting {
  readonly task: Task;
  readonly index: number;
  readonly sequence: Sequence;
  readonly matcher: Matcher | undefined;
  /** Of all positions before `computed`, and those that the next pass adds. */
  readonly pages: number[] = [];
  /** Positions that the pages hold. */
  computed = 0;
  /** Those of them that were found in the cache. */
  found = 0;
  isOver = false;
  #names: PrefixNames | undefined;

  constructor(task: Task, sequence: Sequence, matcher: Matcher | undefined) {
    this.task = task;
    this.index = task.choices.length;
    this.sequence = sequence;
    this.matcher = matcher;
  }

  get owner(): string {
    return this.task.owner;
  }
  get priority(): number {
    return this.task.priority;
  }

  /** Of the prompt and the answer so far. */
  get length(): number {
    return this.task.input.inputIds.length + this.sequence.answer.tokenIds.length;
  }

  /** Whether only the token that was chosen last is left to compute. */
  get isAnswering(): boolean {
    return this.computed >= this.task.input.inputIds.length && this.computed === this.length - 1;
  }

  /** Whether it may begin: the prompt is read once, by the first choice, and then found in the cache by the others. */
  get mayBegin(): boolean {
    return this.index === 0 || this.task.hasRead || this.task.choices[0]!.isOver;
  }

  /** What the page is called that it goes on with, where it fills that and goes on behind it. */
  get pageUnderWay(): string | undefined {
    const page = Math.floor(this.computed / PAGE);
    return (page + 1) * PAGE < this.length ? this.pageName(page) : undefined;
  }

  /** Whether it has nothing yet of the page that it goes on with. */
  get isBetweenPages(): boolean {
    return this.computed % PAGE === 0;
  }

  /** Ids from one position to another. */
  ids(start: number, end: number): readonly number[] {
    const { inputIds } = this.task.input;
    const { tokenIds } = this.sequence.answer;
    if (end <= inputIds.length) return inputIds.slice(start, end);
    const said = tokenIds.slice(Math.max(0, start - inputIds.length), end - inputIds.length);
    return start >= inputIds.length ? said : [...inputIds.slice(start), ...said];
  }

  /** What the page at an index of full pages is called; only of media whose digests are known. */
  pageName(page: number): string {
    const { task } = this;
    this.#names ??= new PrefixNames(
      { owner: task.owner, salt: task.salt, ropeFactor: task.input.ropeFactor },
      task.input.places.map(
        ({ start, length }, i): PlacedMedium => ({ start, length, digest: task.digests![i]! }),
      ),
    );
    return this.#names.of(page, this.ids(0, (page + 1) * PAGE));
  }
}
