import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Decision, parseDecision } from "./decisions.ts";

/** Decisions, each on the disk before the next is made. What a kill cut short is cut off when the file is opened again. */
export class DecisionFile implements Disposable {
  readonly decisions: Decision[];
  readonly #descriptor: number;

  /** @throws LlavaError "data" for a line that is no decision */
  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#descriptor = openSync(path, "a+");
    const text = readFileSync(path, "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole.length < text.length) ftruncateSync(this.#descriptor, Buffer.byteLength(whole));
    this.decisions = whole
      .split("\n")
      .flatMap((line, at) => (line.trim() === "" ? [] : [parseDecision(jsonIn(line), `${path}:${at + 1}`)]));
  }

  append(...decisions: readonly Decision[]): void {
    writeSync(this.#descriptor, decisions.map((decision) => `${JSON.stringify(decision)}\n`).join(""));
    fsyncSync(this.#descriptor);
    this.decisions.push(...decisions);
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

/** Nothing, which is no decision, for what is no JSON. */
function jsonIn(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
