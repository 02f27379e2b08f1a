import type { PromptPiece, TextPiece } from "./prompt.ts";
import { part, source, type TrackedText } from "./tracked-text.ts";

/**
 * Cuts a rendered template into pieces. `imageToken` is what the template itself writes for an image part.
 * The token that ends an answer, the first of `endTokens` right behind it, is supervised along with it, and so
 * are spaces in front of it, since an open turn ends before them ("ASSISTANT:").
 */
export function piecesOf(
  rendered: TrackedText,
  imageToken: string,
  endTokens: readonly string[],
): PromptPiece[] {
  const pieces: PromptPiece[] = [];
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
    rest.split(imageToken).forEach((chunk, index) => {
      if (index > 0) pieces.push({ image: nextImage++ });
      if (chunk !== "") pieces.push({ text: chunk, special: true });
    });
    followsAnswer = false;
  };

  const runs = runsOf(rendered);
  for (const [index, { text, from }] of runs.entries()) {
    const isBeforeAnswer = runs[index + 1]?.from === source.answer;
    if (from === source.template) {
      const spaces = isBeforeAnswer ? (/ *$/.exec(text)?.[0] ?? "") : "";
      pushTemplate(text.slice(0, text.length - spaces.length));
      if (spaces !== "") pieces.push({ text: spaces, special: true, supervised: true });
    } else if (from >= source.firstImage && text === imageToken) {
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
