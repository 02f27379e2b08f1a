/**
 * A string that knows, of each of its UTF-16 units, who said it, so that the words of users and those of a chat template
 * can be told apart after they were joined.
 */
export interface TrackedText {
  readonly text: string;
  /** As long as the text: the code of each unit says who said the text's unit in its place (see `source`). */
  readonly sources: string;
}

/** Who said a unit: the template, a person, or a model's answer; from `firstImage` on it is a mark of that image. */
export const source = { template: 0, said: 1, answer: 2, firstImage: 3 } as const;

const units = (from: number, count: number): string => String.fromCharCode(from).repeat(count);

export const tracked = (text: string, from: number): TrackedText => ({
  text,
  sources: units(from, text.length),
});

/** By the bounds of `slice`. */
export const part = ({ text, sources }: TrackedText, start?: number, end?: number): TrackedText => ({
  text: text.slice(start, end),
  sources: sources.slice(start, end),
});

export function joined(texts: readonly TrackedText[], separator?: TrackedText): TrackedText {
  const all = texts.flatMap((text, index) =>
    index > 0 && separator !== undefined ? [separator, text] : [text],
  );
  return {
    text: all.map(({ text }) => text).join(""),
    sources: all.map(({ sources }) => sources).join(""),
  };
}

/** Without the characters of `set`, or else white space, at its start, its end, or both. */
export function stripped(whole: TrackedText, side: "start" | "end" | "both", set?: string): TrackedText {
  const isStripped = (unit: string) => (set === undefined ? /\s/.test(unit) : set.includes(unit));
  let start = 0;
  let end = whole.text.length;
  if (side !== "end") while (start < end && isStripped(whole.text[start]!)) start++;
  if (side !== "start") while (end > start && isStripped(whole.text[end - 1]!)) end--;
  return part(whole, start, end);
}

/** Each occurrence of `from`, or the first `count`, replaced; as in Python, an empty one stands around every character. */
export function replaced(whole: TrackedText, from: string, to: TrackedText, count = Infinity): TrackedText {
  const pieces: TrackedText[] = [];
  let done = 0;
  let at = 0;
  let search = 0;
  while (done < count) {
    const found = whole.text.indexOf(from, search);
    if (found < 0 || (from === "" && search > whole.text.length)) break;
    pieces.push(part(whole, at, found), to);
    done++;
    at = found + from.length;
    search = from === "" ? found + 1 : at;
  }
  return joined([...pieces, part(whole, at)]);
}

/** The parts that a split gave, which stand in the text one after the other. */
export function partsIn(whole: TrackedText, texts: readonly string[]): TrackedText[] {
  let at = 0;
  return texts.map((text) => {
    const start = whole.text.indexOf(text, at);
    at = start + text.length;
    return part(whole, start, at);
  });
}

/** `text` as `whole` with letters in another case, or with white space put in; undefined where it is neither. */
export function aligned(whole: TrackedText, text: string): TrackedText | undefined {
  if (text.length === whole.text.length) return { text, sources: whole.sources };
  let sources = "";
  let at = 0;
  for (const unit of text)
    for (const half of unit.split("")) {
      const isSame = half === whole.text[at];
      if (!isSame && !/\s/.test(half)) return undefined;
      sources += isSame ? whole.sources[at++]! : units(source.template, 1);
    }
  return at === whole.text.length ? { text, sources } : undefined;
}
