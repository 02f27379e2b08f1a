/** A picture, or the frames of a video, as they are sent. */
export interface Medium {
  readonly kind: "image" | "video";
  readonly name: string;
  /** `data:` addresses of the picture, or of the frames. */
  readonly urls: readonly string[];
}

export interface Answer {
  readonly model: string;
  text: string;
  /** Why it ended, or what went wrong; undefined while it goes on. */
  end?: { readonly reason: string; readonly error?: string };
}

/** A question and its answers, one of each model that was asked. */
export interface Turn {
  text: string;
  media: readonly Medium[];
  answers: Answer[];
}

export interface Conversation {
  readonly id: string;
  system: string;
  turns: Turn[];
  changed: number;
}

export const newConversation = (): Conversation => ({
  id: crypto.randomUUID(),
  system: "",
  turns: [],
  changed: Date.now(),
});

export const titleOf = ({ turns }: Conversation, untitled: string): string =>
  turns[0]?.text.slice(0, 60) || untitled;

/** A message as the server takes it. */
export interface WireMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly object[];
}

function contentOf({ text, media }: Pick<Turn, "text" | "media">): WireMessage["content"] {
  if (media.length === 0) return text;
  const parts = media.map(({ kind, urls }) =>
    kind === "image"
      ? { type: "image_url", image_url: { url: urls[0]! } }
      : { type: "video_url", video_url: { url: videoUrl(urls) } },
  );
  return [...parts, { type: "text", text }];
}

/** Frames in one address: the base64 of JPEGs, with commas between them. */
const videoUrl = (frames: readonly string[]): string =>
  `data:video/jpeg;base64,${frames.map((url) => url.slice(url.indexOf(",") + 1)).join(",")}`;

/** The messages that a model reads to answer the last of `turns`. Of earlier turns it reads its own answers where it gave some. */
export function wireMessages(
  system: string,
  turns: readonly Pick<Turn, "text" | "media" | "answers">[],
  model: string,
): WireMessage[] {
  const messages: WireMessage[] = system.trim() === "" ? [] : [{ role: "system", content: system }];
  for (const [index, turn] of turns.entries()) {
    messages.push({ role: "user", content: contentOf(turn) });
    const answer = turn.answers.find((answer) => answer.model === model) ?? turn.answers[0];
    if (index < turns.length - 1 && answer !== undefined)
      messages.push({ role: "assistant", content: answer.text });
  }
  return messages;
}
