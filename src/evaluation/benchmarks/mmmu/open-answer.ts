import { pythonFloat, roundHalfEven } from "../../python/index.ts";

/**
 * Whether a free answer holds one of the accepted ones, by MMMU's own `parse_open_response` and `eval_open`: of every
 * line the clause after the last word that announces a result, and all numbers in it, are compared with the truth:
 * text by containment, numbers to two decimal places.
 */
export function isOpenAnswerRight(answer: string, accepted: readonly string[]): boolean {
  const wanted = accepted.flatMap(normalize);
  const clauses = keyClauses(answer);
  return [...clauses, ...clauses.flatMap(numbersIn)]
    .flatMap(normalize)
    .some((found) =>
      wanted.some((want) =>
        typeof found === "string" ? typeof want === "string" && found.includes(want) : found === want,
      ),
    );
}

const announcements = ["could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result "];

/** The original also splits before capitals, but lower-cases first, so only line ends count. */
function keyClauses(answer: string): string[] {
  const text = answer
    .trim()
    .replace(/^\.+|\.+$/g, "")
    .toLowerCase();
  const lines = text.split("\n");
  const clauses = lines.flatMap((line, index) => {
    const words = index === lines.length - 1 ? [...announcements, "="] : announcements;
    let shortest = "";
    for (const word of words) {
      if (!line.includes(word)) continue;
      const tail = line.slice(line.lastIndexOf(word) + word.length).trim();
      if (shortest === "" || tail.length < shortest.length) shortest = tail;
    }
    return /^[:,.!?;']?$/.test(shortest) ? [] : [shortest];
  });
  return clauses.length === 0 ? [text] : clauses;
}

const numberForms = [
  /-?\b\d{1,3}(?:,\d{3})+\b/g,
  /-?\d+(?:\.\d+)?[eE][+-]?\d+/g,
  /-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])/g,
];

const numbersIn = (text: string): string[] =>
  numberForms.flatMap((form) => Array.from(text.matchAll(form), ([number]) => number));

/** A number to two places, or lower-case text; one letter is padded, lest it be found inside words. */
function normalize(text: string): (string | number)[] {
  const trimmed = text.trim();
  const number = pythonFloat(trimmed.replaceAll(",", ""));
  if (number !== undefined) return [roundHalfEven(number, 2)];
  const lower = trimmed.toLowerCase();
  return [...lower].length === 1 ? [` ${lower}`, `${lower} `] : [lower];
}
