import { letters } from "../../prompting/index.ts";

/** Options by their letter, of those from A to D that the question has. */
export type Options = ReadonlyMap<string, string>;

export const toOptions = (choices: readonly (string | undefined)[]): Options => {
  const end = choices.indexOf(undefined);
  const given = (end < 0 ? choices : choices.slice(0, end)) as readonly string[];
  return new Map(given.map((choice, index) => [letters[index]!, choice]));
};

/**
 * The one letter that stands alone in the answer, or the one option whose text it contains; undefined where a judge must
 * say. After MMBench's evaluation, section 4.3 of its paper: a short answer's "A" is a letter, a sentence's may be an article.
 */
export function readChoice(answer: string, options: Options): string | undefined {
  const words = answer
    .replace(/[.()[\],:;!*#{}。，、：；！（）【】]/g, " ")
    .split(/\s+/)
    .filter((word) => word !== "");
  const named = [...options.keys()].filter((letter) => words.includes(letter));
  if (named.length === 1 && !(named[0] === "A" && words.length > 3)) return named[0];
  const text = answer.toLowerCase();
  const quoted = [...options].filter(([, option]) => text.includes(option.toLowerCase()));
  return quoted.length === 1 ? quoted[0]![0] : undefined;
}
