const narrow = /[iIljtfr.,:;'|!()[\]{} /\\-]/;
const wide = /[mwMW@%—]/;
const full = /[\u1100-\u115f\u2e80-\uffdc\u{1f000}-\u{3ffff}]/u;

/** Estimate in pixels for Inter: layout needs to know what fits, not the exact width. */
export function textWidth(text: string, size: number): number {
  let widths = 0;
  for (const character of text)
    widths += full.test(character)
      ? 1.05
      : narrow.test(character)
        ? 0.34
        : wide.test(character)
          ? 0.87
          : /[A-Z]/.test(character)
            ? 0.69
            : 0.6;
  return widths * size;
}

/** The text, or its beginning with an ellipsis where it is wider. */
export function fitted(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const characters = [...text];
  while (characters.length > 1 && textWidth(`${characters.join("")}…`, size) > width) characters.pop();
  return `${characters.join("").trimEnd()}…`;
}
