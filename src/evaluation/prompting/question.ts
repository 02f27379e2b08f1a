import { type ImageSource, type Message, userMessage, type VideoFile } from "../../protocol/index.ts";

/** One user message: the images, then the text; nothing to ask where an image is "", as tables for scoring alone have it. */
export const question = (text: string, ...images: readonly ImageSource[]): readonly Message[] =>
  images.includes("") ? [] : [userMessage(text, images)];

/** One user message: the video, then the text. */
export const videoQuestion = (text: string, video: VideoFile): readonly Message[] => [
  {
    role: "user",
    content: [
      { type: "video", video },
      { type: "text", text },
    ],
  },
];
