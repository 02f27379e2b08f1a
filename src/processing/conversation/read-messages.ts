import { LlavaError } from "../../errors.ts";
import {
  type ContentPart,
  describeValue,
  type ImageSource,
  type MediaSource,
  type Message,
  mediaPart,
  requireImageSource,
  requireVideoSource,
} from "../../protocol/index.ts";
import { didYouMean, requireKnownKeys } from "../../spelling.ts";
import { countImageMarks, imageMark, markedParts, slotsOf } from "./image-marks.ts";
import { mediaOf } from "./messages.ts";
import { requireImageCount } from "./prompt.ts";

const roles = ["system", "user", "assistant"] as const;
const imageKeys = ["image", "url", "path", "base64"] as const;
const videoKeys = ["video", "path", "frames"] as const;

/**
 * Messages as anybody may have written them, strictly: roles and parts of OpenAI's and Hugging Face's forms, and `<image>`
 * in a user's text where an image or a video goes (see `mediaAtMarks`). A message with marks and images of its own pairs them in order; `images` take the
 * marks of messages without images, or stand in front of the last message where there are none.
 * @throws LlavaError "prompt" for what is not understood, and for another number of marks than of images; "image" for a
 * value that is none
 */
export function readMessages(messages: unknown, images: readonly MediaSource[] = []): Message[] {
  if (!Array.isArray(messages))
    throw new LlavaError("prompt", `messages: expected a list, got ${describeValue(messages)}`, { hint });
  return placeMarked(messages.map(readMessage), images);
}

function readMessage(value: unknown, index: number): Message & { readonly content: readonly ContentPart[] } {
  const where = `message ${index + 1}`;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new LlavaError("prompt", `${where}: expected an object, got ${describeValue(value)}`, { hint });
  requireKnownKeys(value, {
    what: where,
    known: ["role", "content"],
    synonyms: { from: "role", value: "content", text: "content", image: "content", images: "content" },
    code: "prompt",
  });
  const { role, content } = value as { role?: unknown; content?: unknown };
  if (!roles.includes(role as never))
    throw new LlavaError("prompt", `${where}: its role is ${describeValue(role)}`, {
      hint: `A role is ${roles.join(", ")}.`,
    });
  const parts =
    typeof content === "string"
      ? textParts(content)
      : Array.isArray(content)
        ? content.map((part, at) => readPart(part, `${where}, part ${at + 1}`))
        : undefined;
  if (parts === undefined)
    throw new LlavaError("prompt", `${where}: its content is ${describeValue(content)}`, { hint });
  return { role: role as Message["role"], content: parts };
}

const hint = 'A message is {"role", "content"}; the content is a text or a list of parts.';
const textParts = (text: string): ContentPart[] => [{ type: "text", text }];

function readPart(value: unknown, where: string): ContentPart {
  if (typeof value === "string") return { type: "text", text: value };
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new LlavaError("prompt", `${where}: expected an object, got ${describeValue(value)}`, {
      hint: partHint,
    });
  const part = value as Readonly<Record<string, unknown>>;
  const known = (...keys: string[]): void =>
    requireKnownKeys(part, { what: where, known: ["type", ...keys], code: "prompt" });
  switch (part["type"]) {
    case "text":
    case "input_text":
      known("text");
      return { type: "text", text: requireText(part["text"], `${where}: its text`) };
    case "image":
      known(...imageKeys);
      return imagePart(part, where);
    case "image_url":
      known("image_url");
      return { type: "image", image: imageOfUrl(part["image_url"], where) };
    case "input_image":
      known("image_url", "detail");
      requireDetail(part["detail"], where);
      return { type: "image", image: imageOfUrl(part["image_url"], where) };
    case "video":
      known(...videoKeys);
      return videoPart(part, where);
    default: {
      const type = part["type"];
      const near = typeof type === "string" ? didYouMean(type, ["text", "image", "image_url"]) : "";
      throw new LlavaError("prompt", `${where}: its type is ${describeValue(type)}${near}`, {
        hint: partHint,
      });
    }
  }
}

const partHint =
  'A part is {"type": "text", "text"}, {"type": "image", "image"}, {"type": "image_url", "image_url": {"url"}} or {"type": "video", "video"}.';

function imagePart(part: Readonly<Record<string, unknown>>, where: string): ContentPart {
  const given = imageKeys.filter((key) => part[key] !== undefined && part[key] !== null);
  if (given.length === 0) return { type: "text", text: imageMark };
  if (given.length > 1)
    throw new LlavaError("prompt", `${where}: it names its image twice, as ${given.join(" and ")}`, {
      hint: "Give one of them.",
    });
  const [key] = given;
  const source = requireImageSource(part[key!], `${where}: its ${key}`);
  if (key !== "base64") return { type: "image", image: source };
  const text = requireText(source, `${where}: its base64`);
  return { type: "image", image: text.startsWith("data:") ? text : `data:;base64,${text}` };
}

function videoPart(part: Readonly<Record<string, unknown>>, where: string): ContentPart {
  const given = videoKeys.filter((key) => part[key] !== undefined && part[key] !== null);
  if (given.length !== 1)
    throw new LlavaError(
      "prompt",
      `${where}: it names ${given.length === 0 ? "no video" : `its video as ${given.join(" and ")}`}`,
      {
        hint: 'A video is {"type": "video", "video": "a.mp4"}, or "frames" with a list of images.',
      },
    );
  return { type: "video", video: requireVideoSource(part[given[0]!], `${where}: its ${given[0]}`) };
}

function imageOfUrl(value: unknown, where: string): ImageSource {
  if (typeof value !== "object" || value === null || value instanceof URL)
    return requireImageSource(value, `${where}: its image_url`);
  requireKnownKeys(value, { what: `${where}: image_url`, known: ["url", "detail"], code: "prompt" });
  const { url, detail } = value as { url?: unknown; detail?: unknown };
  requireDetail(detail, where);
  return requireImageSource(url, `${where}: image_url.url`);
}

/** Endpoints send fewer tokens for "low"; here each image is seen whole at the model's resolution. */
function requireDetail(value: unknown, where: string): void {
  if (value === undefined || value === null || value === "auto" || value === "low" || value === "high")
    return;
  throw new LlavaError("prompt", `${where}: its detail is ${describeValue(value)}`, {
    hint: "It is auto, low or high; the models here have one resolution, so that it changes nothing.",
  });
}

function requireText(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new LlavaError("prompt", `${what} is ${describeValue(value)}`, { hint: partHint });
}

/** Puts images in the places of `<image>` marks, message by message. */
function placeMarked(messages: readonly Message[], given: readonly MediaSource[]): Message[] {
  const marksOf = (message: Message): number =>
    message.role === "user"
      ? countImageMarks(textOf(partsOf(message.content)), slotsOf([...mediaOf([message]), ...given]))
      : 0;
  const isOpen = (message: Message): boolean => marksOf(message) > 0 && mediaOf([message]).length === 0;
  const open = messages.filter(isOpen).reduce((sum, message) => sum + marksOf(message), 0);
  if (open > 0) requireImageCount(open, given.length);
  const rest = [...given];
  return messages.map((message, index): Message => {
    const marks = marksOf(message);
    const written = partsOf(message.content);
    if (isOpen(message))
      return { role: message.role, content: markedParts(textOf(written), rest.splice(0, marks)) };
    // Nothing is left here where the marks took the images.
    const inFront = open === 0 && index === messages.length - 1 ? given : [];
    const parts = [...inFront.map(mediaPart), ...written];
    return {
      role: message.role,
      content: marks === 0 ? parts : markedParts(textOf(parts), mediaOf([{ role: "user", content: parts }])),
    };
  });
}

const partsOf = (content: Message["content"]): readonly ContentPart[] =>
  typeof content === "string" ? textParts(content) : content;
const textOf = (parts: readonly ContentPart[]): string =>
  parts.map((part) => (part.type === "text" ? part.text : "")).join("");
