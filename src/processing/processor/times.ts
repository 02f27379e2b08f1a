import type { Conversation } from "../conversation/index.ts";
import type { ImageLayout } from "../image/index.ts";
import { timeSentence } from "../video/index.ts";

/**
 * A conversation with a sentence behind each video whose layout tells when its frames show, on a line of its own; `layouts`
 * are those of its images and videos, in order.
 */
export function withTimes(conversation: Conversation, layouts: readonly ImageLayout[]): Conversation {
  const rest = [...layouts];
  return conversation.map((message) => {
    if (typeof message.content === "string") return message;
    const content = message.content.flatMap((part) => {
      const layout = part.type === "text" ? undefined : rest.shift();
      if (layout?.tiles !== "frames" || layout.shown === undefined) return [part];
      const { times, duration } = layout.shown;
      return [part, { type: "text" as const, text: `${timeSentence(times, duration)}\n` }];
    });
    return { ...message, content };
  });
}
