import { editDistance } from "../../spelling.ts";

/**
 * Average normalised Levenshtein similarity of one answer: that to the nearest accepted answer, 0 where it is below ½.
 * Distances are between lower-case words joined by single spaces, but lengths are those of the texts as they stand, as
 * the evaluation of lmms-eval has it. Biten et al. 2019, "Scene Text Visual Question Answering", section 5.1.
 */
export function anls(answer: string, accepted: readonly string[]): number {
  const shares = accepted.map((wanted) => {
    const length = Math.max(characters(wanted.toUpperCase()), characters(answer.toUpperCase()));
    return length === 0 ? 0 : editDistance(plain(wanted), plain(answer)) / length;
  });
  const similarity = 1 - Math.min(...shares);
  return similarity < 0.5 ? 0 : similarity;
}

const plain = (text: string): string => text.trim().toLowerCase().split(/\s+/).join(" ");

const isAstral = /[\u{10000}-\u{10ffff}]/u;

const characters = (text: string): number => (isAstral.test(text) ? [...text].length : text.length);
