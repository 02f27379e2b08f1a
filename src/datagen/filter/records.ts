import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { jsonObjects } from "../../files/index.ts";
import { linesOf } from "../captions/read-captions.ts";
import { checked, parsed } from "../checked.ts";

/** A caption of the web with its image. */
export interface CaptionRecord {
  readonly id: string;
  readonly image: string;
  readonly caption: string;
  readonly blipCaption?: string | undefined;
  readonly url?: string | undefined;
}

const hint =
  'Takes lines of "caption<tab>url" (.tsv), lines of {"id", "image", "caption"}, or LLaVA rows with one caption each.';

const identifier = z.union([z.string(), z.number()]).transform(String);
const plain = z.object({
  id: identifier,
  image: z.string(),
  caption: z.string(),
  blip_caption: z.string().optional(),
  url: z.string().optional(),
});
const row = z.object({
  id: identifier,
  image: z.string(),
  conversations: z.array(z.object({ from: z.string(), value: z.string() })).length(2),
});

/**
 * Captions one by one, whatever the file's length: CC3M's TSV, JSON lines, or a JSON array of LLaVA rows.
 * @throws LlavaError "data" naming file and line or row
 */
export async function* captionRecords(path: string): AsyncGenerator<CaptionRecord> {
  if (!/\.jsonl?$/.test(path)) {
    yield* tabbedRecords(path);
    return;
  }
  for await (const spans of jsonObjects(path))
    for (const { bytes, place, problem } of spans) {
      const where = `${path}:${place.replace("row", " row")}`;
      if (problem !== undefined) throw new LlavaError("data", `${where}: ${problem}`, { hint });
      yield recordOf(bytes, where);
    }
}

function recordOf(bytes: Buffer, where: string): CaptionRecord {
  const value = parsed(bytes.toString("utf8"), where, hint);
  if (typeof value === "object" && value !== null && "conversations" in value) {
    const { id, image, conversations } = checked(row, value, where, hint);
    return { id, image, caption: conversations[1]!.value };
  }
  const { id, image, caption, blip_caption, url } = checked(plain, value, where, hint);
  return { id, image, caption, blipCaption: blip_caption, url };
}

async function* tabbedRecords(path: string): AsyncGenerator<CaptionRecord> {
  let number = 0;
  for await (const line of linesOf(path)) {
    number++;
    if (line.trim() === "") continue;
    const [caption = "", url, more] = line.split("\t");
    if (caption === "" || more !== undefined)
      throw new LlavaError("data", `${path}:${number}: expected "caption<tab>url", got "${line}"`, { hint });
    const id = String(number - 1).padStart(9, "0");
    yield { id, image: `${id}.jpg`, caption, url };
  }
}
