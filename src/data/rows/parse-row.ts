import { parseJson } from "../../files/index.ts";
import { type LlavaRow, RowError } from "../../protocol/index.ts";
import { isPair, readPair } from "./pair-fields.ts";
import { isAbsent, kindOf, namesOf, type Refuse, rowHint } from "./row-fields.ts";
import { placeMedia } from "./row-media.ts";
import { readTurns } from "./row-turns.ts";

/** Fields that say where a row is from or what is in its images: nothing that a model reads. */
const descriptive = new Set(
  (
    "_id index idx uid question_id image_id sample_id key __key__ source data_source dataset dataset_name subset split " +
    "task task_type type category subject domain model generator language lang license url image_url coco_url flickr_url " +
    "chosen_score rejected_score origin_dataset origin_split ds_name image_path width height image_size image_width image_height height_list width_list file_name filename metadata meta hash sha256 date created"
  ).split(" "),
);

/**
 * Checks one value of a file: LLaVA's own form, ShareGPT's, or messages with role and content, whose parts may name images
 * and videos; or a pair of answers to one prompt (see `readPair`). Where videos stand, `placeMedia` tells.
 * A row without an id is named by its origin.
 * @throws RowError "form" or "placeholders" beginning with `origin`
 */
export function parseRow(value: unknown, origin: string): LlavaRow {
  const fields = presentFields(value, origin);
  const named = fields["id"] === undefined ? "" : ` (id ${idText(fields["id"])})`;
  const refuse: Refuse = (what) => {
    throw new RowError("form", `${origin}${named}: ${what}`, { hint: rowHint });
  };
  const pair = isPair(value as object as Record<string, unknown>) ? readPair(fields, refuse) : undefined;
  const { id, image, images, video, videos, audio, audios, system, ...others } = pair?.fields ?? fields;
  const key =
    others["conversations"] !== undefined || others["messages"] === undefined ? "conversations" : "messages";
  const { [key]: said, ...unread } = others;
  if (audio !== undefined || audios !== undefined) refuse("audio: rows about sounds cannot be used");
  if (said === undefined && others[key] === undefined) refuse(withoutTurns(value, key, Object.keys(unread)));
  const read = readTurns(typeof said === "string" ? parsed(said, key, refuse) : said, key, refuse);
  if (system !== undefined && typeof system !== "string")
    refuse(`system: is ${kindOf(system)}, expected text`);
  if (system !== undefined && read.system !== undefined && system !== read.system)
    refuse("there is a system message in its turns and another one in the field system");
  const mediaNamed = (kind: "image" | "video", one: unknown, several: unknown, inParts: readonly string[]) =>
    oneOf(kind, [namesOf(one, kind, refuse), namesOf(several, `${kind}s`, refuse), inParts], refuse);
  const names = {
    images: mediaNamed("image", image, images, read.images),
    videos: mediaNamed("video", video, videos, read.videos),
  };
  const placed = placeMedia(names, read.turns, `${origin}${named}`);
  const text = (system as string | undefined) ?? read.system;
  const unused = [...Object.keys(unread).filter((name) => !descriptive.has(name)), ...read.unused];
  return {
    id: id === undefined ? origin : idOf(id, refuse),
    images: placed.images,
    ...(text !== undefined && { system: text }),
    conversations: placed.turns,
    ...(pair && { rejected: pair.rejected }),
    origin,
    ...(unused.length > 0 && { unusedFields: unused }),
  };
}

function presentFields(value: unknown, origin: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value).filter(([, field]) => !isAbsent(field)));
  throw new RowError("form", `${origin}: is ${kindOf(value)}, expected an object`, { hint: rowHint });
}

const idText = (id: unknown): string =>
  typeof id === "object"
    ? JSON.stringify(id, (_, part) => (typeof part === "bigint" ? String(part) : part))
    : String(id);

function idOf(id: unknown, refuse: Refuse): string {
  if (typeof id === "string" || typeof id === "number" || typeof id === "bigint") return String(id);
  return refuse(`id: is ${kindOf(id)}, expected text or a number`);
}

function withoutTurns(value: unknown, key: string, others: readonly string[]): string {
  if (Array.isArray((value as Record<string, unknown>)[key])) return `${key}: has no turns`;
  const found = others.filter((name) => !descriptive.has(name));
  return `conversations: is needed, a list of turns${found.length > 0 ? `; the row has ${found.join(", ")}` : ""}`;
}

function parsed(text: string, key: string, refuse: Refuse): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    return refuse(`${key}: is text that is not valid JSON: ${(cause as Error).message}`);
  }
}

/** Names of a row's images, or of its videos, wherever they stand. */
function oneOf(
  kind: "image" | "video",
  all: readonly (readonly string[])[],
  refuse: Refuse,
): readonly string[] {
  const found = all.filter((names) => names.length > 0);
  if (found.length > 1 && new Set(found.map((names) => names.join("\n"))).size > 1)
    refuse(`names its ${kind}s twice and otherwise: ${found.map((names) => names.join(", ")).join(" | ")}`);
  return found[0] ?? [];
}
