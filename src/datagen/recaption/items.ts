import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { fileSha256, jsonObjects, sha256, unreadable } from "../../files/index.ts";
import { checked, parsed } from "../checked.ts";

/** An image, a video or a part of one that gets a new caption. */
export interface RecaptionItem {
  /** Unlike any other's. */
  readonly id: string;
  /** Relative to the folder of images, or an address. */
  readonly image: string;
  readonly isVideo?: boolean;
  /** Seconds of the video. */
  readonly segment?: readonly [start: number, end: number];
  /** All of them that its video has, so that it is decoded once. */
  readonly segments?: readonly (readonly [start: number, end: number])[];
  /** What it is said to show so far. */
  readonly caption?: string;
}

const line = z
  .object({
    id: z.union([z.string(), z.number()]).optional(),
    image: z.string().min(1).optional(),
    video: z.string().min(1).optional(),
    caption: z.string().optional(),
    segments: z
      .array(
        z
          .tuple([z.number().min(0), z.number()])
          .refine(([start, end]) => start < end, "ends before it starts"),
      )
      .optional(),
  })
  .refine(({ image, video }) => (image === undefined) !== (video === undefined), {
    message: 'needs "image" or "video"',
  });

const hint =
  'A row has "image" or "video", and may have "id", "caption", and of a video "segments": [[start, end], …] in seconds.';

const pictures = /\.(jpe?g|png|webp|gif|avif|tiff?|bmp)$/i;

export interface RecaptionSource {
  /** Changes with what the source lists. */
  readonly digest: string;
  items(): AsyncGenerator<RecaptionItem>;
}

/**
 * Rows of a file of any length (.json, .jsonl), or the images of a folder; the first `limit` items of them.
 * @throws LlavaError "data" naming file and row
 */
export async function openRecaptionSource(
  path: string,
  { limit }: { readonly limit?: number | undefined } = {},
): Promise<RecaptionSource> {
  const source = await openWhole(path);
  if (limit === undefined) return source;
  return {
    digest: sha256(`${source.digest} ${limit}`),
    items: async function* () {
      let left = limit;
      for await (const item of source.items()) {
        yield item;
        if (--left === 0) return;
      }
    },
  };
}

async function openWhole(path: string): Promise<RecaptionSource> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  if (!found.isDirectory()) return { digest: await fileSha256(path), items: () => rowsOf(path) };
  const names = (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && pictures.test(entry.name))
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
  if (names.length === 0) throw new LlavaError("data", `${path}: holds no image`, { hint });
  return {
    digest: sha256(names.join("\n")),
    items: async function* () {
      for (const image of names) yield { id: image.replace(/\.\w+$/, ""), image };
    },
  };
}

/** Bytes of a list that are looked through at once. */
const pieceSize = 1 << 18;

async function* rowsOf(path: string): AsyncGenerator<RecaptionItem> {
  for await (const spans of jsonObjects(path, pieceSize))
    for (const { bytes, place, problem } of spans) {
      const where = `${path}:${place.replace("row", " row")}`;
      if (problem !== undefined) throw new LlavaError("data", `${where}: ${problem}`, { hint });
      const value = parsed(bytes.toString("utf8"), where, hint);
      const { id, image, video, caption, segments } = checked(line, value, where, hint);
      const name = (image ?? video)!;
      const item: RecaptionItem = {
        id: String(id ?? name.replace(/\.\w+$/, "")),
        image: name,
        ...(video !== undefined && { isVideo: true }),
        ...(caption !== undefined && { caption }),
      };
      if (segments === undefined) yield item;
      else if (video === undefined) throw new LlavaError("data", `${where}: segments of an image`, { hint });
      else
        for (const [number, segment] of segments.entries())
          yield { ...item, id: `${item.id}-${number}`, segment, segments };
    }
}
