/**
 * Text without the control characters (C0 and C1, but for newline and tab) by which it could move a terminal's cursor,
 * recolour it or worse. What a model says is not to be trusted with them.
 */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
  text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "");

/** As `printable` for a stream that is a terminal; files and pipes get the text as it is. */
export const shownOn = ({ isTTY = false }: { readonly isTTY?: boolean }, text: string): string =>
  isTTY ? printable(text) : text;
