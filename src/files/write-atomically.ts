import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { LlavaError } from "../errors.ts";

const batch = 1 << 20;

/** A file that appears under its name only when all of it is on the disk. */
export class AtomicFile implements AsyncDisposable {
  readonly path: string;
  readonly #temporary: string;
  readonly #file: Awaited<ReturnType<typeof open>>;
  #pending = "";
  #isDone = false;

  private constructor(path: string, temporary: string, file: Awaited<ReturnType<typeof open>>) {
    this.path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** Makes the folder too. @throws LlavaError "data", as all methods, where the file system refuses */
  static async create(path: string): Promise<AtomicFile> {
    const temporary = `${path}.${process.pid}.partial`;
    return writing(path, async () => {
      await mkdir(dirname(path), { recursive: true });
      return new AtomicFile(path, temporary, await open(temporary, "w"));
    });
  }

  /** Returns a promise only when the gathered text is written. */
  write(piece: string | Uint8Array): Promise<void> | undefined {
    if (typeof piece !== "string") return this.#writeBytes(piece);
    this.#pending += piece;
    return this.#pending.length > batch ? this.#flush() : undefined;
  }

  async finish(): Promise<void> {
    await this.#flush();
    await writing(this.path, async () => {
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#temporary, this.path);
    });
    this.#isDone = true;
  }

  /** Leaves nothing behind unless `finish` was called. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDone) return;
    await this.#file.close().catch(() => {});
    await rm(this.#temporary, { force: true });
  }

  async #writeBytes(bytes: Uint8Array): Promise<void> {
    await this.#flush();
    await writing(this.path, () => this.#file.writeFile(bytes));
  }

  #flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = "";
    return writing(this.path, () => this.#file.writeFile(text));
  }
}

/** Writes pieces one after another. */
export async function writeAtomically(
  path: string,
  pieces: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): Promise<void> {
  await using file = await AtomicFile.create(path);
  for await (const piece of pieces) await file.write(piece);
  await file.finish();
}

async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be written: ${(cause as Error).message}`, {
      hint: "Check that the folder may be written and has room.",
      cause,
    });
  }
}
