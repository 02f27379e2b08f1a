import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { ErrorCode } from "../errors.ts";
import { unwritten, writing } from "./writing.ts";

export interface AtomicOptions {
  /** Of the LlavaError where the file system refuses; "checkpoint". */
  readonly code?: ErrorCode;
  /** Whether the folder is made, and those above it. */
  readonly makesFolder?: boolean;
}

/** Text gathers up to here before it is written. */
const batch = 1 << 20;
/** Most bytes that one call writes: the system takes less than 2 GiB at once. */
const largestWrite = 2 ** 30;

/** A file that appears under its name only when all of it is on the disk. */
export class AtomicFile implements Disposable {
  readonly path: string;
  readonly #code: ErrorCode | undefined;
  readonly #temporary: string;
  readonly #descriptor: number;
  #isOpen = true;
  #isDone = false;
  #text = "";

  /** @throws LlavaError, as all methods, where the file system refuses */
  constructor(path: string, { code, makesFolder = false }: AtomicOptions = {}) {
    this.path = path;
    this.#code = code;
    this.#temporary = `${path}.${process.pid}.partial`;
    this.#descriptor = this.#writing(() => {
      if (makesFolder) mkdirSync(dirname(path), { recursive: true });
      return openSync(this.#temporary, "w");
    });
  }

  write(piece: string | Uint8Array): void {
    if (typeof piece === "string") this.#text += piece;
    else this.#writing(() => this.#append(this.#takeText(), piece));
    if (this.#text.length > batch) this.#writing(() => this.#append(this.#takeText()));
  }

  finish(): void {
    this.#writing(() => {
      this.#append(this.#takeText());
      fsyncSync(this.#descriptor);
      this.#close();
      renameSync(this.#temporary, this.path);
    });
    this.#isDone = true;
  }

  /** Leaves nothing behind unless `finish` was called. */
  [Symbol.dispose](): void {
    if (this.#isDone) return;
    if (this.#isOpen) this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #takeText(): Uint8Array {
    const text = this.#text;
    this.#text = "";
    return Buffer.from(text);
  }

  #append(...pieces: readonly Uint8Array[]): void {
    for (const bytes of pieces)
      for (let done = 0; done < bytes.byteLength; )
        done += writeSync(this.#descriptor, bytes, done, Math.min(bytes.byteLength - done, largestWrite));
  }

  #close(): void {
    this.#isOpen = false;
    closeSync(this.#descriptor);
  }

  #writing<T>(write: () => T): T {
    return writing(this.path, write, this.#code);
  }
}

/** Writes pieces one after another; what they throw is an error about the file. */
export function writeAtomically(
  path: string,
  pieces: Iterable<string | Uint8Array>,
  options: AtomicOptions = {},
): void {
  using file = new AtomicFile(path, options);
  writing(
    path,
    () => {
      for (const piece of pieces) file.write(piece);
    },
    options.code,
  );
  file.finish();
}

/** The same for pieces that are still to come. */
export async function writeAtomicallyAsync(
  path: string,
  pieces: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
  options: AtomicOptions = {},
): Promise<void> {
  using file = new AtomicFile(path, options);
  try {
    for await (const piece of pieces) file.write(piece);
  } catch (cause) {
    throw unwritten(path, cause, options.code);
  }
  file.finish();
}
