/** SVG or HTML source in which all text is already escaped. */
export class Markup {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  toString(): string {
    return this.source;
  }
}

/** What a template takes: markup as it is, lists joined, nothing for undefined and false, all else escaped. */
export type Piece = Markup | string | number | false | undefined | readonly Piece[];

/** Template tag for SVG and HTML: only `Markup` comes through unescaped, so that hostile text stays text. */
export const markup = (literals: TemplateStringsArray, ...pieces: readonly Piece[]): Markup =>
  new Markup(String.raw({ raw: literals }, ...pieces.map(rendered)));

function rendered(piece: Piece): string {
  if (piece instanceof Markup) return piece.source;
  if (piece === undefined || piece === false) return "";
  if (typeof piece === "number") return String(rounded(piece));
  return typeof piece === "string" ? escaped(piece) : piece.map(rendered).join("");
}

/** Hundredths of a pixel are enough for every screen, and keep files small. */
const rounded = (value: number): number => (Number.isFinite(value) ? Math.round(value * 100) / 100 : 0);

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** For text and quoted attributes; characters that XML forbids become U+FFFD. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"']/g, (character) => entities[character]!);
