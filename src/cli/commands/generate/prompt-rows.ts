import { dirname, resolve } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { describeIssues, parseJson, readDataFile } from "../../../files/index.ts";
import { readMessages } from "../../../processing/conversation/index.ts";
import {
  type ImageSource,
  isBase64Image,
  type MediaSource,
  type Message,
  type SamplingOptions,
} from "../../../protocol/index.ts";
import { requireKnownKeys } from "../../../spelling.ts";

/** A prompt of a batch, or why its line of the file is none. */
export interface PromptRow {
  readonly id: string | number;
  /** The question; absent where `messages` are a conversation. */
  readonly prompt?: string;
  readonly messages?: readonly Message[];
  readonly system?: string;
  /** With its videos, as objects. */
  readonly images: readonly MediaSource[];
  /** What the row says of how its answer is drawn. */
  readonly sampling?: RowSampling;
  readonly error?: LlavaError;
}

type RowSampling = SamplingOptions & { readonly ignoreEos?: boolean };

const count = z.int().min(1);
const samplingFields = {
  maxTokens: count,
  temperature: z.number().min(0),
  topP: z.number().gt(0).max(1),
  topK: z.int().min(0),
  minP: z.number().min(0).max(1),
  repetitionPenalty: z.number().positive(),
  seed: z.int().min(0),
  stop: z.union([z.string().transform((text) => [text]), z.array(z.string())]),
  ignoreEos: z.boolean(),
} as const;
type SamplingField = keyof typeof samplingFields;

/** "maxTokens" as JSON of other libraries has it: "max_tokens". */
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const samplingNames = Object.keys(samplingFields) as SamplingField[];
const fieldOf = new Map(samplingNames.flatMap((name) => [name, snakeCase(name)].map((key) => [key, name])));

const rowSchema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  prompt: z.string().nullish(),
  messages: z.array(z.unknown()).nullish(),
  system: z.string().nullish(),
  images: z.union([z.string(), z.array(z.string())]).nullish(),
  image: z.union([z.string(), z.array(z.string())]).nullish(),
  videos: z.union([z.string(), z.array(z.string())]).nullish(),
  video: z.union([z.string(), z.array(z.string())]).nullish(),
});
const rowKeys = Object.keys(rowSchema.shape);
const synonyms = {
  img: "image",
  imgs: "images",
  question: "prompt",
  text: "prompt",
  query: "prompt",
  question_id: "id",
  conversations: "messages",
  max_new_tokens: "max_tokens",
};
const hint =
  'A row is {"id", "prompt", "images": ["path", …]}, with "messages" for a conversation; "system" and settings such as "max_tokens" may stand beside.';

/**
 * Reads rows, one a line or as a JSON list; `id` is a row's number where it has none, and image paths count from the file's
 * folder. A bad row becomes one with an error, so that the others can go on.
 * @throws LlavaError "data" for a file that cannot be read, or a list that does not parse
 */
export async function readPromptRows(path: string): Promise<PromptRow[]> {
  const text = await readDataFile(path);
  if (text.trimStart().startsWith("["))
    return parseList(text, path).map((value, index) => parseRow(() => value, index + 1, path));
  return text
    .split("\n")
    .flatMap((line, index) => (line.trim() === "" ? [] : [parseRow(() => parseLine(line), index + 1, path)]));
}

function parseList(text: string, path: string): unknown[] {
  try {
    return parseJson(text) as unknown[];
  } catch (cause) {
    throw new LlavaError("data", `${path}: not valid JSON: ${(cause as Error).message}`, { hint, cause });
  }
}

function parseLine(line: string): unknown {
  try {
    return parseJson(line);
  } catch (cause) {
    throw new LlavaError("data", "not valid JSON", { cause });
  }
}

function parseRow(value: () => unknown, rowNumber: number, path: string): PromptRow {
  try {
    return rowOf(value(), rowNumber, path);
  } catch (cause) {
    if (!(cause instanceof LlavaError)) throw cause;
    const error = new LlavaError("data", `${path}:${rowNumber}: ${cause.message}`, {
      hint: cause.hint ?? hint,
      cause,
    });
    return { id: rowNumber, images: [], error };
  }
}

function rowOf(value: unknown, rowNumber: number, path: string): PromptRow {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new LlavaError("data", "expected an object");
  requireKnownKeys(value, {
    what: "the row",
    known: [...rowKeys, ...samplingNames.map(snakeCase)],
    synonyms,
    also: samplingNames,
    code: "data",
  });
  const row = checked(rowSchema, value);
  const sampling = samplingOf(value as Readonly<Record<string, unknown>>);
  const images: MediaSource[] = [
    ...listOf([row.image, row.images], "image").map((image) => fromFolderOf(path, image)),
    ...listOf([row.video, row.videos], "video").map((video) => ({ path: fromFolderOf(path, video) })),
  ];
  const base = {
    id: row.id ?? rowNumber,
    ...(row.system && { system: row.system }),
    ...(sampling !== undefined && { sampling }),
  };
  if (typeof row.prompt === "string") {
    if (row.messages) throw new LlavaError("data", "it has both prompt and messages");
    return { ...base, prompt: row.prompt, images };
  }
  if (!row.messages) throw new LlavaError("data", "prompt: is needed, a text");
  const messages = readMessages(row.messages, images).map((message) => withPaths(message, path));
  if (base.system !== undefined && messages[0]?.role === "system")
    throw new LlavaError("data", "it has both system and a system message");
  return { ...base, messages, images: [] };
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new LlavaError("data", describeIssues(parsed.error));
}

/** Exported data has null and "" for nothing. */
function listOf(given: readonly (string | string[] | null | undefined)[], name: string): string[] {
  const lists = given.map((names) => [names ?? []].flat().filter((each) => each !== ""));
  if (lists.every((list) => list.length > 0))
    throw new LlavaError("data", `it has both ${name} and ${name}s`);
  return lists.flat();
}

function samplingOf(row: Readonly<Record<string, unknown>>): RowSampling | undefined {
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(row)) {
    const field = fieldOf.get(key);
    if (field === undefined || value === null) continue;
    if (field in given) throw new LlavaError("data", `it has ${field} twice, also as ${key}`);
    given[field] = value;
  }
  if (Object.keys(given).length === 0) return undefined;
  return checked(z.object(samplingFields).partial(), given) as RowSampling;
}

const withPaths = (message: Message, path: string): Message => {
  if (typeof message.content === "string") return message;
  const content = message.content.map((part) =>
    part.type === "image" ? { ...part, image: sourceFrom(path, part.image) } : part,
  );
  return { ...message, content };
};

const sourceFrom = (path: string, image: ImageSource): ImageSource =>
  typeof image === "string" ? fromFolderOf(path, image) : image;

const fromFolderOf = (path: string, image: string): string =>
  /^[a-z][a-z0-9+.-]+:/i.test(image) || isBase64Image(image) ? image : resolve(dirname(path), image);
