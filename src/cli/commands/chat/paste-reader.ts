import { Transform, type TransformCallback } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { printable } from "../../frame/printable.ts";

/** What a terminal is sent so that it marks pasted text, and that it need no longer. */
export const [marksPastes, marksNoPastes] = ["\u001b[?2004h", "\u001b[?2004l"];
const [begin, end] = ["\u001b[200~", "\u001b[201~"];
const longestInline = 2000;
/** A command, or a mark of lines that belong together: typed lines, in however large pieces they arrive. */
const isOwnEntry = /^\s*(?:\/[a-z]+(?:\s|$)|""")|\\$/i;

/** Keys of a terminal. Raw mode is that of what they come from. */
interface Keys extends NodeJS.ReadableStream {
  setRawMode?(isRaw: boolean): unknown;
}

/**
 * Stands between a terminal and readline, so that a pasted text of several lines is one entry: it becomes a short name such
 * as `[paste 1: 4 lines]` in the typed line, which `expand` turns back. Terminals mark what is pasted (bracketed paste); from
 * one that does not, several lines that arrive at once are a paste, unless one of them is a command or a mark.
 */
export class PasteReader extends Transform {
  readonly #source: Keys;
  readonly #decoder = new StringDecoder("utf8");
  readonly #pastes: string[] = [];
  #held = "";
  #paste: string | undefined;

  constructor(source: Keys) {
    super();
    this.#source = source;
    source.pipe(this);
  }

  /** A typed line with the pasted texts in the places of their names. */
  expand(line: string): string {
    return line.replace(/\[paste (\d+): [^\]]*\]/g, (name, number: string) =>
      nameOf(this.#pastes[Number(number) - 1] ?? "", Number(number)) === name
        ? this.#pastes[Number(number) - 1]!
        : name,
    );
  }

  setRawMode(isRaw: boolean): void {
    this.#source.setRawMode?.(isRaw);
  }

  /** Lets go of the source, so that nothing waits for it. */
  detach(): void {
    this.#source.unpipe(this);
    this.#source.pause();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#read(this.#held + this.#decoder.write(chunk));
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#paste !== undefined) this.#pasted(this.#paste + this.#held);
    else if (this.#held !== "") this.push(this.#held);
    done();
  }

  #read(text: string): void {
    this.#held = "";
    const mark = this.#paste === undefined ? begin : end;
    const at = text.indexOf(mark);
    if (at < 0) {
      const kept = text.length - beginningOf(mark, text);
      this.#held = text.slice(kept);
      if (this.#paste === undefined) this.#typed(text.slice(0, kept));
      else this.#paste += text.slice(0, kept);
      return;
    }
    const before = text.slice(0, at);
    if (this.#paste === undefined) {
      this.#typed(before);
      this.#paste = "";
    } else {
      this.#pasted(this.#paste + before);
      this.#paste = undefined;
    }
    this.#read(text.slice(at + mark.length));
  }

  #typed(text: string): void {
    const lines = text.split(/\r\n|\r|\n/);
    const isBurst =
      lines.length > (lines.at(-1) === "" ? 2 : 1) &&
      printable(text).length >= text.replace(/\r/g, "").length;
    if (!isBurst || lines.some((line) => isOwnEntry.test(line))) {
      if (text !== "") this.push(text);
      return;
    }
    this.#pasted(text.replace(/[\r\n]+$/, ""));
    if (lines.at(-1) === "") this.push("\r");
  }

  #pasted(text: string): void {
    const pasted = printable(text.replace(/\r\n?/g, "\n")).replace(/\n$/, "");
    if (pasted === "") return;
    if (!pasted.includes("\n") && pasted.length <= longestInline) this.push(pasted.replace(/\t/g, " "));
    else this.push(nameOf(pasted, this.#pastes.push(pasted)));
  }
}

/** "[paste 1: 4 lines]". */
function nameOf(text: string, number: number): string {
  const lines = text.split("\n").length;
  return `[paste ${number}: ${lines === 1 ? `${text.length} characters` : `${lines} lines`}]`;
}

/** How many letters at a text's end may be the beginning of a mark: three at least, since fewer are keys of their own. */
function beginningOf(mark: string, text: string): number {
  for (let length = mark.length - 1; length >= 3; length--)
    if (text.endsWith(mark.slice(0, length))) return length;
  return 0;
}
