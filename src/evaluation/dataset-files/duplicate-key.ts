/** A key that stands twice in one object, and the line of its second place, counted from 1. */
export interface DuplicateKey {
  readonly key: string;
  readonly line: number;
}

/** The first key that an object of a valid JSON text has twice: parsers keep the last value and say nothing. */
export function duplicateKey(json: string): DuplicateKey | undefined {
  /** Keys of the open objects; null for a list. */
  const open: (Set<string> | null)[] = [];
  const token = /"((?:[^"\\]|\\[\s\S])*)"|[{}[\],]/g;
  let isKey = false;
  for (let match = token.exec(json); match !== null; match = token.exec(json)) {
    const [whole, text] = match;
    if (whole === "{") open.push(new Set());
    else if (whole === "[") open.push(null);
    else if (whole === "}" || whole === "]") open.pop();
    else if (text !== undefined && isKey) {
      const keys = open.at(-1)!;
      const key = text.includes("\\") ? (JSON.parse(whole) as string) : text;
      if (keys?.has(key)) return { key, line: json.slice(0, match.index).split("\n").length };
      keys?.add(key);
    }
    isKey = (whole === "{" || whole === ",") && open.at(-1) != null;
  }
  return undefined;
}
