import { join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import type { BenchmarkItem, LoadOptions } from "../../benchmark.ts";
import { check, imageFolder, locateFile, readJsonDocument, readPickle } from "../../files/index.ts";
import { type Box, inImage, inPaddedSquare } from "./box.ts";

export interface RefCocoItem extends BenchmarkItem {
  /** What people said to name the object: "the lady with the blue shirt". */
  readonly expression: string;
  readonly image: string;
  readonly box: Box;
}

/** The references are a pickle, which may hold numbers of 64 bits. */
const number = z.union([z.number(), z.bigint()]).transform(Number);
const referenceSchema = z.array(
  z.looseObject({
    ann_id: number,
    split: z.string(),
    sentences: z.array(z.looseObject({ sent_id: number, sent: z.string() })),
  }),
);
const instanceSchema = z.object({
  images: z.array(z.object({ id: z.number(), file_name: z.string(), width: z.number(), height: z.number() })),
  annotations: z.array(
    z.object({
      id: z.number(),
      image_id: z.number(),
      bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
    }),
  ),
});

/**
 * A question for each sentence of refs(<by>).p about an object of instances.json. Boxes are those of the padded square that
 * LLaVA-1.5 sees; with `compat`, of the image itself, as lmms-eval compares them whatever the model was trained on.
 */
export async function* loadRefCoco(
  { data, split, compat = false }: LoadOptions & { split: string },
  dataset: string,
  by: string,
): AsyncGenerator<RefCocoItem> {
  const inside = (name: string): string[] => ["", `${dataset}/`].map((folder) => `${folder}${name}`);
  const referencePath = locateFile(data, inside(`refs(${by}).p`));
  const instancePath = locateFile(data, inside("instances.json"));
  const references = check(referenceSchema, await readPickle(referencePath), referencePath);
  const instances = check(instanceSchema, await readJsonDocument(instancePath), instancePath);
  const images = new Map(instances.images.map((image) => [image.id, image]));
  const annotations = new Map(instances.annotations.map((annotation) => [annotation.id, annotation]));
  const folder = imageFolder(data, ["train2014", "coco/train2014", "images/train2014"]);
  for (const reference of references) {
    if (reference.split !== split) continue;
    const annotation = annotations.get(reference.ann_id);
    const image = images.get(annotation?.image_id ?? -1);
    if (annotation === undefined || image === undefined)
      throw new LlavaError("data", `${instancePath}: lacks object ${reference.ann_id} of ${referencePath}`, {
        hint: "Take both files from the same archive.",
      });
    const [left, top, width, height] = annotation.bbox;
    const box = (compat ? inImage : inPaddedSquare)(
      [left, top, left + width, top + height],
      image.width,
      image.height,
    );
    for (const { sent_id, sent } of reference.sentences)
      yield { id: String(sent_id), expression: sent, image: join(folder, image.file_name), box };
  }
}
