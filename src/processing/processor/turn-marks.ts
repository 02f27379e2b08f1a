/**
 * What a template marks turns with, if a text holds it: the model would learn to end its answer there, or to speak for the
 * user. A mark that begins with a letter counts at the begin of a word only.
 */
export function findTurnMark(text: string, marks: readonly string[]): string | undefined {
  return marks.find((mark) => {
    const isWord = /^\w/.test(mark);
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1))
      if (!isWord || at === 0 || !/\w/.test(text[at - 1]!)) return true;
    return false;
  });
}
