/** A token that is matched in the text as a whole, before normalisation and byte-pair encoding. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Special tokens steer the model; only a template may produce them. */
  readonly special: boolean;
  /** Whether the token swallows the white space on its left, on its right. */
  readonly lstrip?: boolean | undefined;
  readonly rstrip?: boolean | undefined;
  /** Whether the token counts only between word boundaries. */
  readonly singleWord?: boolean | undefined;
}

/** Cuts a text into the ids of added tokens and the ordinary text between them. */
export type AddedTokenSplitter = (text: string) => (number | string)[];

const escapeForPattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** The leftmost match wins, then the longest. */
export function addedTokenSplitter(tokens: readonly AddedToken[]): AddedTokenSplitter {
  const byContent = new Map(
    tokens.filter((token) => token.content !== "").map((token) => [token.content, token]),
  );
  if (byContent.size === 0) return (text) => (text === "" ? [] : [text]);
  const alternatives = [...byContent.values()]
    .sort((a, b) => b.content.length - a.content.length)
    .map(({ content, singleWord }) =>
      singleWord
        ? `(?<![\\p{L}\\p{N}_])${escapeForPattern(content)}(?![\\p{L}\\p{N}_])`
        : escapeForPattern(content),
    );
  const pattern = new RegExp(alternatives.join("|"), "gu");

  return (text) => {
    const sections: (number | string)[] = [];
    let start = 0;
    for (const match of text.matchAll(pattern)) {
      const token = byContent.get(match[0])!;
      let before = text.slice(start, match.index);
      if (token.lstrip) before = before.trimEnd();
      if (before !== "") sections.push(before);
      sections.push(token.id);
      start = match.index + match[0].length;
      if (token.rstrip) start += text.length - start - text.slice(start).trimStart().length;
    }
    if (start < text.length) sections.push(text.slice(start));
    return sections;
  };
}
