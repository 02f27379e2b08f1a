import type { ContentPart, Message } from "../../../protocol/index.ts";

/**
 * MMMU inserts images where the text says `<image 2>`; a second mention stays text. The first image comes before a text that
 * mentions none.
 */
export function interleave(text: string, images: Readonly<Record<number, string>>): readonly Message[] {
  const shown = new Set<number>();
  const parts = text.split(/(<image \d>)/).flatMap((piece): ContentPart[] => {
    const number = Number(/^<image (\d)>$/.exec(piece)?.[1]);
    const image = images[number];
    if (image === undefined || shown.has(number)) return piece === "" ? [] : [{ type: "text", text: piece }];
    shown.add(number);
    return [{ type: "image", image }];
  });
  const unmentioned = shown.size === 0 ? Object.values(images).slice(0, 1) : [];
  return [
    {
      role: "user",
      content: [...unmentioned.map((image): ContentPart => ({ type: "image", image })), ...parts],
    },
  ];
}
