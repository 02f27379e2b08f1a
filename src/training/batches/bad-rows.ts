import { LlavaError } from "../../errors.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { CollatorOptions } from "./collator.ts";

type OnBadRow = CollatorOptions["onBadRow"];

/** Counts what is wrong with rows before training, and tells of it in one line. */
export class Problems {
  readonly #policy: "error" | "skip";
  readonly #hint: string;
  readonly #report: (line: string) => void;
  #first: LlavaError | undefined;
  #count = 0;

  constructor(
    { images, onBadRow }: { readonly images: string; readonly onBadRow: "error" | "skip" },
    report: (line: string) => void,
  ) {
    this.#policy = onBadRow;
    const all = "llava data check lists them all; --data.onBadRow skip leaves them out.";
    this.#hint = images === "" ? "Give the folder of the images with --data.images." : all;
    this.#report = report;
  }

  add(error: LlavaError): void {
    this.#first ??= error;
    this.#count++;
  }

  /** Throws `data` if rows are not to be skipped, or none is left. */
  settle(name: string, left: number): void {
    if (this.#first && this.#policy === "error")
      throw new LlavaError("data", `${this.#first.message} (${this.#count} unusable rows)`, {
        hint: this.#hint,
      });
    if (this.#first) this.#report(`skipping ${this.#count} unusable rows, the first: ${this.#first.message}`);
    if (left > 0) return;
    throw new LlavaError("data", `${name}: no rows to use`, {
      hint: "Rows are LLaVA's own: id, image and conversations; their images lie in data.images.",
    });
  }
}

export const raise = (error: LlavaError): never => {
  throw error;
};
export const refuse: OnBadRow = (_, error) => raise(error);

/** As the recipe says of rows that cannot be used, and of those that are too long. */
export function refuseOrSkip(
  { onBadRow, onLongRow }: Recipe["data"],
  report: (line: string) => void,
): OnBadRow {
  const skip = countSkippedErrors(report);
  return (_, error) => {
    const policy = error.problem === "long" && onLongRow !== "truncate" ? onLongRow : onBadRow;
    if (policy === "error") raise(error);
    skip(error);
  };
}

/** Reports each row that is left out, once, and how many there were. */
export function countSkippedErrors(report: (line: string) => void): (error: LlavaError) => void {
  const skipped = new Set<string>();
  return ({ message }) => {
    if (skipped.has(message)) return;
    skipped.add(message);
    report(`skipping ${message} (${skipped.size} so far)`);
  };
}
