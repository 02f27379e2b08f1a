import type { PromptPiece, TextPiece } from "./prompt.ts";
import { part, source, type TrackedText } from "./tracked-text.ts";

/**
 * What a template itself writes for an image or a video, with the numbers of those that stand there in turn; undefined
 * where all are numbered as they come.
 */
export type MediaMarks = Readonly<Record<string, readonly number[] | undefined>>;

/**
 * Cuts a rendered template into pieces at `marks`.
 * The token that ends an answer, the first of `endTokens` right behind it, is supervised along with it, and so
 * are spaces in front of it, since an open turn ends before them ("ASSISTANT:").
 */
export function piecesOf(
  rendered: TrackedText,
  marks: MediaMarks,
  endTokens: readonly string[],
): PromptPiece[] {
  const pieces: PromptPiece[] = [];
  const waiting = Object.entries(marks).map(([mark, numbers]) => ({
    mark,
    numbers: numbers && [...numbers],
  }));
  let nextImage = 0;
  let followsAnswer = false;

  const pushTemplate = (text: string) => {
    let rest = text;
    if (followsAnswer) {
      const white = rest.length - rest.trimStart().length;
      const end = endTokens.find((token) => rest.startsWith(token, white));
      if (end !== undefined) {
        const ending = rest.slice(0, white + end.length);
        pieces.push({ text: ending, special: true, supervised: true });
        rest = rest.slice(ending.length);
      }
    }
    for (const chunk of splitAt(rest, Object.keys(marks))) {
      const found = waiting.find(({ mark }) => mark === chunk);
      if (found) pieces.push({ image: found.numbers?.shift() ?? nextImage++ });
      else if (chunk !== "") pieces.push({ text: chunk, special: true });
    }
    followsAnswer = false;
  };

  const runs = runsOf(rendered);
  for (const [index, { text, from }] of runs.entries()) {
    const isBeforeAnswer = runs[index + 1]?.from === source.answer;
    if (from === source.template) {
      const spaces = isBeforeAnswer ? (/ *$/.exec(text)?.[0] ?? "") : "";
      pushTemplate(text.slice(0, text.length - spaces.length));
      if (spaces !== "") pieces.push({ text: spaces, special: true, supervised: true });
    } else if (from >= source.firstImage && Object.hasOwn(marks, text)) {
      pieces.push({ image: from - source.firstImage });
      followsAnswer = false;
    } else {
      const piece: TextPiece = { text, special: false };
      followsAnswer = from === source.answer;
      pieces.push(followsAnswer ? { ...piece, supervised: true } : piece);
    }
  }
  return pieces;
}

/** Marks stand by themselves in the list. */
function splitAt(text: string, marks: readonly string[]): string[] {
  const [mark, ...others] = marks;
  if (mark === undefined) return [text];
  return text
    .split(mark)
    .flatMap((chunk, index) => [...(index > 0 ? [mark] : []), ...splitAt(chunk, others)]);
}

function runsOf(whole: TrackedText): { text: string; from: number }[] {
  const { sources } = whole;
  const runs: { text: string; from: number }[] = [];
  for (let start = 0; start < sources.length; ) {
    let end = start + 1;
    while (end < sources.length && sources[end] === sources[start]) end++;
    runs.push({ text: part(whole, start, end).text, from: sources.charCodeAt(start) });
    start = end;
  }
  return runs;
}
