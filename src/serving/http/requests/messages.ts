import { z } from "zod";
import type { ContentPart, Message } from "../../../protocol/index.ts";
import type { MediaReader } from "../media/media-reader.ts";

const imageDetail = z
  .enum(["auto", "low", "high", "original"])
  .nullish()
  .describe(
    "low: of an image that the model would cut into tiles only the overview is seen. The others, and models of one tile: no effect.",
  );

/** The parts of OpenAI's chat completions and responses, and vLLM's videos. Of what the models cannot hear or open, why not. */
const contentPart = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("input_text"), text: z.string() }),
    z.object({ type: z.literal("output_text"), text: z.string() }),
    z.object({ type: z.literal("image_url"), image_url: z.object({ url: z.string(), detail: imageDetail }) }),
    z.object({ type: z.literal("input_image"), image_url: z.string(), detail: imageDetail }),
    z.object({ type: z.literal("video_url"), video_url: z.object({ url: z.string() }) }),
  ],
  { error: "expected one of text, image_url, video_url, input_text, input_image and output_text" },
);

const messageContent = z.union([z.string(), z.array(contentPart)]);

export const message = z.discriminatedUnion(
  "role",
  [
    z.object({ role: z.literal("system"), content: messageContent }),
    z.object({ role: z.literal("developer"), content: messageContent }),
    z.object({ role: z.literal("user"), content: messageContent }),
    z.object({
      role: z.literal("assistant"),
      content: messageContent.nullish(),
      tool_calls: z.array(z.unknown()).max(0, "the models call no tools").nullish(),
    }),
  ],
  {
    error: ({ input }) =>
      (input as { type?: unknown } | undefined)?.type === "item_reference"
        ? "items are not kept here: send them whole, as clients do that are told store: false"
        : "expected one of system, developer, user and assistant",
  },
);

/** @throws ApiError 400, 413 or 503, naming the part, for media that are not taken */
export const readMessages = async (
  messages: readonly z.infer<typeof message>[],
  media: MediaReader,
  { frames, param }: { readonly frames: number; readonly param: string },
): Promise<Message[]> => {
  const read: Promise<Message>[] = messages.map(async ({ role, content }, index) => ({
    role: role === "developer" ? "system" : role,
    content:
      typeof content === "string" || !content
        ? (content ?? "")
        : await all(
            content.map((part, at) => readPart(part, media, frames, `${param}[${index}].content[${at}]`)),
          ),
  }));
  return withOneSystem(await all(read));
};

/** Templates have one place for what the system says: several messages of it at the beginning are one, a blank line between. */
export function withOneSystem(messages: readonly Message[]): Message[] {
  const others = messages.findIndex(({ role }) => role !== "system");
  const systems = messages.slice(0, others < 0 ? messages.length : others);
  if (systems.length < 2) return [...messages];
  const content = systems.flatMap(({ content }, index): ContentPart[] => [
    ...(index > 0 ? [{ type: "text", text: "\n\n" } as const] : []),
    ...(typeof content === "string" ? [{ type: "text", text: content } as const] : content),
  ]);
  return [{ role: "system", content }, ...messages.slice(systems.length)];
}

/** All of several, or the first failure once all have ended: none goes on behind the answer. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}

/** "auto", "high" and "original" are what the model does anyway. */
const imagePart = (image: Uint8Array, detail: z.infer<typeof imageDetail>): ContentPart => ({
  type: "image",
  image,
  ...(detail === "low" && { detail }),
});

async function readPart(
  part: z.infer<typeof contentPart>,
  media: MediaReader,
  frames: number,
  param: string,
): Promise<ContentPart> {
  switch (part.type) {
    case "image_url":
      return imagePart(await media.image(part.image_url.url, param), part.image_url.detail);
    case "input_image":
      return imagePart(await media.image(part.image_url, param), part.detail);
    case "video_url":
      return { type: "video", video: await media.video(part.video_url.url, param, frames) };
    default:
      return { type: "text", text: part.text };
  }
}
