import type { RowTurn } from "../../protocol/index.ts";
import { isAbsent, kindOf, namesOf, type Refuse } from "./row-fields.ts";

export interface ReadTurns {
  readonly system?: string;
  readonly turns: readonly RowTurn[];
  /** What parts of messages name. */
  readonly images: readonly string[];
  readonly videos: readonly string[];
  /** Fields of turns that are not read, "conversations.weight". */
  readonly unused: readonly string[];
}

/** Who speaks, by all names that files have for them. */
const speakers: Readonly<Record<string, RowTurn["from"] | "system">> = {
  human: "human",
  user: "human",
  gpt: "gpt",
  assistant: "gpt",
  model: "gpt",
  bot: "gpt",
  chatgpt: "gpt",
  system: "system",
};

/** Turns of `from` and `value`, or of `role` and `content`; a system message may come first. */
export function readTurns(list: unknown, key: string, refuse: Refuse): ReadTurns {
  if (!Array.isArray(list)) return refuse(`${key}: is ${kindOf(list)}, expected a list of turns`);
  const media = { images: [] as string[], videos: [] as string[] };
  const unused = new Set<string>();
  const said = list.map((turn: unknown, index) => {
    const where = `${key}.${index}`;
    if (typeof turn !== "object" || turn === null || Array.isArray(turn))
      return refuse(`${where}: is ${kindOf(turn)}, expected an object`);
    const { from, role, value, content, ...others } = turn as Record<string, unknown>;
    for (const [name, field] of Object.entries(others)) if (!isAbsent(field)) unused.add(`${key}.${name}`);
    const text = textOf(
      value ?? content ?? value,
      `${where}.${value === undefined ? "content" : "value"}`,
      media,
      refuse,
    );
    return {
      from: speakerOf(from ?? role, `${where}.${from === undefined ? "role" : "from"}`, refuse),
      value: text,
    };
  });
  const system = said[0]?.from === "system" ? said[0].value : undefined;
  const turns = (system === undefined ? said : said.slice(1)).map(({ from, value }, index): RowTurn => {
    if (from !== "system") return { from, value };
    return refuse(`${key}.${index + (system === undefined ? 0 : 1)}: a system message comes first`);
  });
  return { ...(!isAbsent(system) && { system: system! }), turns, ...media, unused: [...unused] };
}

function speakerOf(name: unknown, where: string, refuse: Refuse): RowTurn["from"] | "system" {
  const known = typeof name === "string" ? name.toLowerCase() : "";
  const speaker = Object.hasOwn(speakers, known) ? speakers[known] : undefined;
  const found = name === undefined ? "is missing" : `is ${JSON.stringify(name)}`;
  return (
    speaker ??
    refuse(`${where}: ${found}, expected "human" or "gpt", "user" or "assistant", or "system" first`)
  );
}

/** Text, or parts as OpenAI and Hugging Face have them, in which an image or a video becomes a placeholder. */
function textOf(
  content: unknown,
  where: string,
  media: { readonly images: string[]; readonly videos: string[] },
  refuse: Refuse,
): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content))
    return refuse(`${where}: is ${content === undefined ? "missing" : kindOf(content)}, expected text`);
  return content
    .map((part: unknown, index) => {
      if (typeof part === "string") return part;
      const { type, text, ...source } = (part ?? {}) as Record<string, unknown>;
      if (type === "text" && typeof text === "string") return text;
      const { image, image_url: address, url, path, video } = source;
      if (type === "video") {
        media.videos.push(...namesOf(video ?? url ?? path, `${where}.${index}`, refuse));
        return "<video>";
      }
      if (type !== "image" && type !== "image_url")
        return refuse(
          `${where}.${index}: a part of the type ${JSON.stringify(type)}, expected "text", "image" or "video"`,
        );
      const named =
        image ?? (typeof address === "object" ? (address as { url?: unknown } | null)?.url : address);
      media.images.push(...namesOf(named ?? url ?? path, `${where}.${index}`, refuse));
      return "<image>";
    })
    .join("");
}
