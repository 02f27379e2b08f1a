import { type ImageSource, type Message, userMessage } from "../../protocol/index.ts";

/** One user message: the images, then the text; nothing to ask where an image is "", as tables for scoring alone have it. */
export const question = (text: string, ...images: readonly ImageSource[]): readonly Message[] =>
  images.includes("") ? [] : [userMessage(text, images)];
