import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { firstLineFits, readDataFile, readJsonLines } from "../../files/index.ts";
import { readCaptions } from "../captions/read-captions.ts";
import { checked, parsed } from "../checked.ts";
import type { Box, SceneItem } from "./item.ts";

/** A line of a file of one's own. */
const line = z
  .object({
    id: z.union([z.string(), z.number()]).optional(),
    image: z.string().min(1).optional(),
    video: z.string().min(1).optional(),
    captions: z.array(z.string()).optional(),
    caption: z.string().optional(),
    boxes: z.array(z.object({ category: z.string(), box: z.array(z.number()).length(4) })).default([]),
    width: z.number().positive().optional(),
    height: z.number().positive().optional(),
  })
  .refine(({ image, video }) => (image === undefined) !== (video === undefined), {
    message: 'needs "image" or "video"',
  })
  .refine(({ captions, caption, boxes }) => captions || caption || boxes.length > 0, {
    message: 'needs "captions", "caption" or "boxes"',
  });

const instances = z.object({
  images: z.array(z.object({ id: z.number(), file_name: z.string(), width: z.number(), height: z.number() })),
  categories: z.array(z.object({ id: z.number(), name: z.string() })),
  annotations: z.array(
    z.object({
      image_id: z.number(),
      category_id: z.number(),
      bbox: z.array(z.number()).length(4),
      iscrowd: z.number().default(0),
    }),
  ),
});

export const itemHint =
  'A line is {"image": "a.jpg", "captions": ["…"], "boxes": [{"category": "dog", "box": [left, top, right, bottom]}], "width": 640, "height": 480}; boxes in fractions need no size. Of a video it has "video" in place of "image".';

export interface ReadItems {
  readonly items: readonly SceneItem[];
  /** Boxes around crowds, which say nothing of one thing and are left out. */
  readonly crowds: number;
  /** Captions with blanks around them or line ends inside, which are mended. */
  readonly mended: number;
}

export interface ItemFiles {
  /** COCO's captions JSON, Flickr's token files, LLaVA rows, or lines of one's own. */
  readonly captions: readonly string[];
  /** COCO's instances JSON. */
  readonly boxes?: readonly string[] | undefined;
}

/** Images with captions and boxes, in the files' order. @throws LlavaError "data" naming file and line */
export async function readItems({ captions, boxes = [] }: ItemFiles): Promise<ReadItems> {
  const found: SceneItem[] = [];
  for (const path of captions) {
    if (path.endsWith(".jsonl") && (await firstLineFits(path, line))) found.push(...(await ownLines(path)));
    else
      for (const photo of await readCaptions(path))
        found.push({ id: stem(photo.image), ...photo, boxes: [] });
  }
  const byImage = new Map<string, Box[]>();
  let crowds = 0;
  for (const path of boxes) crowds += await addInstances(path, byImage);
  let mended = 0;
  const clean = (text: string): string[] => {
    const better = text.trim().replace(/\s+/g, " ");
    if (better !== text) mended++;
    return better === "" ? [] : [better];
  };
  const ids = new Set<string>();
  const images = new Set<string>();
  const items = found.map((item) => {
    // Files of two splits may have images of one name.
    const id = ids.has(item.id) && !images.has(item.image) ? item.image : item.id;
    if (ids.has(id)) throw new LlavaError("data", `${item.image}: comes twice`, { hint: itemHint });
    images.add(item.image);
    ids.add(id);
    const known = byImage.get(item.image);
    return { ...item, id, captions: item.captions.flatMap(clean), boxes: known ?? item.boxes };
  });
  return { items, crowds, mended };
}

const stem = (name: string): string => name.replace(/^.*\//, "").replace(/\.\w+$/, "");

async function ownLines(path: string): Promise<SceneItem[]> {
  const items: SceneItem[] = [];
  for await (const { value, line: number } of readJsonLines(path)) {
    const where = `${path}:${number}`;
    const { id, image, video, captions, caption, boxes, width, height } = checked(
      line,
      value,
      where,
      itemHint,
    );
    const name = (image ?? video)!;
    items.push({
      id: String(id ?? stem(name)),
      image: name,
      ...(video !== undefined && { isVideo: true }),
      captions: captions ?? (caption === undefined ? [] : [caption]),
      boxes: boxes.map(({ category, box }) => {
        const [left, top, right, bottom] = box as [number, number, number, number];
        if (Math.max(...box) <= 1) return { category, corners: [left, top, right, bottom] };
        if (width === undefined || height === undefined)
          throw new LlavaError("data", `${where}: boxes in pixels, and no size of the image`, {
            hint: itemHint,
          });
        return { category, corners: [left / width, top / height, right / width, bottom / height] };
      }),
    });
  }
  return items;
}

/** Adds the boxes of COCO's file. Returns how many crowds it left out. */
async function addInstances(path: string, byImage: Map<string, Box[]>): Promise<number> {
  const hint = "Give COCO's instances JSON as it ships.";
  const file = checked(instances, parsed(await readDataFile(path), path, hint), path, hint);
  const images = new Map(file.images.map((image) => [image.id, image]));
  const names = new Map(file.categories.map(({ id, name }) => [id, name]));
  let crowds = 0;
  for (const [index, { image_id, category_id, bbox, iscrowd }] of file.annotations.entries()) {
    const image = images.get(image_id);
    const category = names.get(category_id);
    if (image === undefined || category === undefined)
      throw new LlavaError(
        "data",
        `${path}: annotation ${index + 1}: no image ${image_id} or category ${category_id}`,
        {
          hint,
        },
      );
    if (iscrowd) {
      crowds++;
      continue;
    }
    const [x, y, width, height] = bbox as [number, number, number, number];
    const corners = [
      x / image.width,
      y / image.height,
      (x + width) / image.width,
      (y + height) / image.height,
    ] as const;
    const boxes = byImage.get(image.file_name);
    if (boxes === undefined) byImage.set(image.file_name, [{ category, corners }]);
    else boxes.push({ category, corners });
  }
  return crowds;
}
