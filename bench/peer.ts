import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A process, mostly Python, that measures the same work: it prints its name, then answers each line with a line. */
export class Peer {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #complaints: string[];

  private constructor(name: string, child: ChildProcess, lines: AsyncIterator<string>, complaints: string[]) {
    this.name = name;
    this.#child = child;
    this.#lines = lines;
    this.#complaints = complaints;
  }

  /** Undefined, with a line on stderr, where no Python was named or it lacks a package. */
  static async start(
    python: string,
    args: readonly string[],
    options: { readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Peer | undefined> {
    if (python === "") {
      console.error("peer left out: give --python PATH or set $PYTHON");
      return undefined;
    }
    const child = spawn(python, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
    const complaints: string[] = [];
    child.stderr.on("data", (chunk) => complaints.push(String(chunk)));
    child.on("error", (error) => complaints.push(error.message));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value, done } = await lines.next();
    if (!done) return new Peer(value, child, lines, complaints);
    console.error(`peer left out: ${complaints.join("").trim().split("\n").at(-1)}`);
    return undefined;
  }

  async ask(question: string): Promise<number> {
    this.#child.stdin?.write(`${question}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} stopped: ${this.#complaints.join("").trim()}`);
    return Number(value);
  }

  close(): void {
    this.#child.stdin?.end();
  }
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;
