import { distance } from "fastest-levenshtein";
import { type ErrorCode, LlavaError } from "./errors.ts";

const isAstral = /[\u{10000}-\u{10ffff}]/u;

/** Levenshtein distance in characters, as Python counts them: those beyond 16 bits count once. */
export function editDistance(first: string, second: string): number {
  if (!isAstral.test(first) && !isAstral.test(second)) return distance(first, second);
  const numbers = new Map<string, string>();
  const short = (text: string): string =>
    Array.from(text, (character) => {
      const known = numbers.get(character) ?? String.fromCharCode(numbers.size);
      numbers.set(character, known);
      return known;
    }).join("");
  return distance(short(first), short(second));
}

/** Whether the texts differ by two neighbours that have changed places. */
function areSwapped(first: string, second: string): boolean {
  const at = [...first].findIndex((letter, i) => letter !== second[i]);
  return (
    at >= 0 && first.slice(0, at) + first.charAt(at + 1) + first.charAt(at) + first.slice(at + 2) === second
  );
}

/**
 * The names that somebody may have meant by `word`, nearest first and three at most: a third of the letters may differ,
 * two neighbours may have changed places, or one is the beginning of the other. Capitals and the marks between words do
 * not count.
 */
export function nearNames(word: string, names: Iterable<string>): string[] {
  const wanted = plain(word);
  const near = [...new Set(names)].flatMap((name) => {
    const candidate = plain(name);
    const shorter = Math.min(candidate.length, wanted.length);
    const begins = shorter >= 3 && (candidate.startsWith(wanted) || wanted.startsWith(candidate));
    const isOneAway = begins || areSwapped(candidate, wanted);
    const away = isOneAway ? Number(candidate !== wanted) : editDistance(candidate, wanted);
    return begins || away <= Math.max(1, Math.floor(wanted.length / 3)) ? [{ name, away }] : [];
  });
  return near
    .sort((a, b) => a.away - b.away)
    .filter(({ away }, _, [nearest]) => nearest!.away > 0 || away === 0)
    .slice(0, 3)
    .map(({ name }) => name);
}

const plain = (name: string): string => name.toLowerCase().replace(/[\s._-]+/g, "");

/** `; did you mean "a" or "b"?`, or nothing where no name is near. */
export function didYouMean(word: string, names: Iterable<string>): string {
  const near = nearNames(word, names).map((name) => JSON.stringify(name));
  return near.length === 0 ? "" : `; did you mean ${near.join(" or ")}?`;
}

export interface KnownKeys {
  /** What the object is, for the message: "a row", "chat()'s options". */
  readonly what: string;
  readonly known: readonly string[];
  /** Other people's names for known keys: "text" for "prompt". */
  readonly synonyms?: Readonly<Record<string, string>>;
  /** Accepted as well, but not listed. */
  readonly also?: readonly string[];
  readonly code?: ErrorCode;
}

/**
 * Refuses keys that nobody reads, so that nothing given is dropped in silence. A key whose value is null or undefined
 * says nothing, as in exported data.
 * @throws LlavaError naming the first such key, what it may have meant, and the known ones
 */
export function requireKnownKeys(
  object: object,
  { what, known, also = [], synonyms = {}, code = "usage" }: KnownKeys,
): void {
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined || value === null || known.includes(key) || also.includes(key)) continue;
    const meant = Object.hasOwn(synonyms, key)
      ? `; did you mean "${synonyms[key]}"?`
      : didYouMean(key, known);
    throw new LlavaError(code, `${what}: unknown key "${key}"${meant}`, {
      hint: `Known are ${known.join(", ")}.`,
    });
  }
}
