import { placeImages, type Turn, type TurnPart } from "./messages.ts";
import type { PromptPiece, TextPiece } from "./prompt.ts";

/**
 * A chat template returns one string in which the words of users and those of the template can't be told apart.
 * So everything a person or a model said goes in as private-use characters, one for each UTF-16 unit, and is
 * translated back afterwards. White space stays as it is, for templates that trim.
 */
const answerBase = 0xf0000;
const otherBase = 0x100000;
const imageOpen = "\uE000";
const imageClose = "\uE001";

const shift = (text: string, base: number): string =>
  text.replace(/[^\s]/g, (unit) => String.fromCodePoint(base + unit.charCodeAt(0)));

const unshift = (text: string): string =>
  text.replace(/[\u{F0000}-\u{10FFFF}]/gu, (character) =>
    String.fromCharCode(character.codePointAt(0)! & 0xffff),
  );

export const taintAnswer = (text: string): string => shift(text, answerBase);
export const taint = (text: string): string => shift(text, otherBase);

/** A turn as one string, images as marks that `untaint` finds again. */
export function taintTurn(turn: Turn): string {
  const hide = turn.role === "assistant" ? taintAnswer : taint;
  const show = (part: TurnPart) =>
    "text" in part ? hide(part.text) : `${imageOpen}${part.image}${imageClose}`;
  return placeImages(turn.parts).map(show).join("");
}

const spoken =
  /[\u{F0000}-\u{FFFFF}](?:\s*[\u{F0000}-\u{FFFFF}])*|[\u{100000}-\u{10FFFF}](?:\s*[\u{100000}-\u{10FFFF}])*/gu;

/**
 * Cuts a rendered template into pieces. `imageToken` is what the template itself writes for an image part.
 * The token that ends an answer, the first of `endTokens` right behind it, is supervised along with it, and so
 * are spaces in front of it, since an open turn ends before them ("ASSISTANT:").
 */
export function untaint(rendered: string, imageToken: string, endTokens: readonly string[]): PromptPiece[] {
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
    for (const chunk of rest.split(/(\uE000\d+\uE001)/)) {
      const mark = /^\uE000(\d+)\uE001$/.exec(chunk);
      if (mark) {
        pieces.push({ image: Number(mark[1]) });
        continue;
      }
      chunk.split(imageToken).forEach((part, index) => {
        if (index > 0) pieces.push({ image: nextImage++ });
        if (part !== "") pieces.push({ text: part, special: true });
      });
    }
  };

  let start = 0;
  for (const match of rendered.matchAll(spoken)) {
    const isAnswer = match[0].codePointAt(0)! < otherBase;
    const before = rendered.slice(start, match.index);
    const template = isAnswer ? before.replace(/ +$/, "") : before;
    pushTemplate(template);
    const spaces = before.slice(template.length);
    if (spaces !== "") pieces.push({ text: spaces, special: true, supervised: true });
    const piece: TextPiece = { text: unshift(match[0]), special: false };
    pieces.push(isAnswer ? { ...piece, supervised: true } : piece);
    followsAnswer = isAnswer;
    start = match.index + match[0].length;
  }
  pushTemplate(rendered.slice(start));
  return pieces;
}
