const prefixes = [
  "The best answer is",
  "The correct answer is",
  "The answer is",
  "The answer",
  "The best option is",
  "The correct option is",
  "Best answer:",
  "Best option:",
];

/** The letter from A to D that first stands alone in an answer. */
export const readLetter = (answer: string): string | undefined =>
  /(?<![\p{L}\p{N}])[A-D](?![\p{L}\p{N}'’])/u.exec(answer)?.[0];

/**
 * The first capital from A to D, as the original evaluation has it: it reads "B" in "Based on …". Commas are missing in
 * its list of beginnings, so that it cuts off only the first four, and the others in pairs.
 */
export function readLetterAsOriginal(answer: string): string | undefined {
  const [best, correct, answered, answers, ...glued] = prefixes;
  const cut = [best!, correct!, answered!, answers!, glued.slice(0, 2).join(""), glued.slice(2).join("")];
  const rest = cut.reduce((text, prefix) => text.replaceAll(prefix, ""), answer.trim());
  return /[ABCD]/.exec(rest)?.[0];
}
