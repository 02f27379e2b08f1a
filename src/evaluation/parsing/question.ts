import type { ImageSource, Message } from "../../protocol/index.ts";

/** One user message: the images, then the text. */
export const question = (text: string, ...images: readonly ImageSource[]): readonly Message[] => [
  {
    role: "user",
    content: [...images.map((image) => ({ type: "image", image }) as const), { type: "text", text }],
  },
];
