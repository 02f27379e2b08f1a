import { z } from "zod";
import { streamJsonArray } from "../../files/index.ts";
import type { Answer } from "../benchmark.ts";
import { check } from "./check.ts";
import { documentReader, readDocument } from "./json-document.ts";

const id = z.union([z.number(), z.string()]).transform(String);
const captionsSchema = z.object({
  images: z.array(z.object({ id, file_name: z.string() })),
  annotations: z.array(z.object({ image_id: id, caption: z.string() })).optional(),
});

export interface CocoImage {
  readonly id: string;
  readonly file: string;
  /** undefined in files that hold no captions. */
  readonly captions?: readonly string[] | undefined;
}

/** The images of captions_val2014.json and files in its format, each with what people wrote about it. */
export async function readCocoCaptions(path: string): Promise<CocoImage[]> {
  const { images, annotations } = await readDocument(path, captionsSchema);
  const captions = Map.groupBy(annotations ?? [], ({ image_id }) => image_id);
  return images.map((image) => ({
    id: image.id,
    file: image.file_name,
    captions: annotations && (captions.get(image.id) ?? []).map(({ caption }) => caption),
  }));
}

const categorySchema = z.object({ id: z.number(), name: z.string() });
const instanceSchema = z.object({ image_id: id, category_id: z.number() });

/** Names of the categories of objects in each image, by the image's id, from instances_val2014.json. */
export async function readCocoObjects(path: string): Promise<Map<string, Set<string>>> {
  const names = new Map<number, string>();
  for await (const value of streamJsonArray(path, "categories")) {
    const category = check(categorySchema, value, path);
    names.set(category.id, category.name);
  }
  const objects = new Map<string, Set<string>>();
  // Its outlines make the file too large to be read at once.
  for await (const value of streamJsonArray(path, "annotations")) {
    const { image_id, category_id } = check(instanceSchema, value, path);
    const name = names.get(category_id);
    if (name !== undefined) objects.set(image_id, (objects.get(image_id) ?? new Set()).add(name));
  }
  return objects;
}

const resultSchema = z.array(z.object({ image_id: id, caption: z.string() }));

/** Captions in the form of COCO's results, a list of image_id and caption; undefined for any other file. */
export const readCocoResults = documentReader(resultSchema, (rows): Answer[] =>
  rows.map(({ image_id, caption }) => ({ id: image_id, text: caption })),
);
