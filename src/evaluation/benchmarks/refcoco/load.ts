import { join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import type { BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import {
  check,
  findFile,
  findNested,
  findTable,
  imageFolder,
  imageSize,
  locateFile,
  readDocument,
  readPickle,
  type TableFiles,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { CaptionCorpus, type CaptionedItem } from "../../metrics/index.ts";
import { type Box, inImage, inPaddedSquare } from "./box.ts";

/** An object, and what people said to name it: "the lady with the blue shirt". */
interface Reference {
  readonly id: string;
  readonly image: string;
  readonly box: Box;
  readonly sentences: readonly { readonly id: string; readonly text: string }[];
}

/** A sentence whose object is to be found. */
export interface RefCocoItem extends BenchmarkItem {
  readonly expression: string;
  readonly image: string;
  readonly box: Box;
}

/** An object that is to be named. */
export interface RegionItem extends CaptionedItem {
  readonly image: string;
  readonly box: Box;
}

/** The references are a pickle, which may hold numbers of 64 bits. */
const number = z.union([z.number(), z.bigint()]).transform(Number);
const referenceSchema = z.array(
  z.looseObject({
    ref_id: number,
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

/** Where a set of references lies, and by whom it was split. */
export interface ReferenceFiles {
  readonly folder: string;
  readonly by: string;
}

type Options = DatasetOptions & { readonly split: string };

/** As lmms-lab has the references, an object a row. */
const tableLayouts = [{ columns: ["question_id", "image", "answer", "bbox"] }];

/** The table of the hub, where the original files are not there. */
const hubTable = async (
  { data, split }: Options,
  { folder, by }: ReferenceFiles,
): Promise<TableFiles | undefined> => {
  const names = within(["", `${folder}/`])(`refs(${by}).p`);
  return (findFile(data, names) ?? findNested(data, names)) === undefined
    ? findTable(data, split, tableLayouts)
    : undefined;
};

/** Objects by their place in the table, their sentences by their place among all. */
async function* tableReferences(table: TableFiles, compat: boolean): AsyncGenerator<Reference> {
  let sentences = 0;
  for await (const row of tableRows(table)) {
    const [left, top, width, height] = check(boxSchema, row.values["bbox"], `${row.where}: bbox`);
    const { bytes } = check(imageSchema, row.values["image"], `${row.where}: image`);
    const size = imageSize(bytes);
    if (size === undefined)
      throw new LlavaError("data", `${row.where}: its image is neither JPEG nor PNG, or is cut`, {
        hint: "Boxes are compared as shares of the image's sides, so that each row needs its image.",
      });
    const corners: Box = [left, top, left + width, top + height];
    yield {
      id: String(row.place),
      image: row.image() ?? "",
      box: (compat ? inImage : inPaddedSquare)(corners, size.width, size.height),
      sentences: (row.list("answer") ?? []).map((text) => ({ id: String(sentences++), text })),
    };
  }
}

const boxSchema = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const imageSchema = z.object({ bytes: z.instanceof(Uint8Array) });

/** A question for each sentence of refs(<by>).p. */
export async function* loadExpressions(options: Options, files: ReferenceFiles): AsyncGenerator<RefCocoItem> {
  for (const { image, box, sentences } of await readReferences(options, files))
    for (const { id, text } of sentences) yield { id, expression: text, image, box };
}

/** A question for each object, which all its sentences answer. */
export async function* loadRegions(options: Options, files: ReferenceFiles): AsyncGenerator<RegionItem> {
  const regions = (await readReferences(options, files)).map(({ sentences, ...region }) => ({
    ...region,
    captions: sentences.map(({ text }) => text),
  }));
  const corpus = new CaptionCorpus(regions, options.answered);
  for (const region of regions) yield { ...region, corpus };
}

/**
 * The references of a split to objects of instances.json. Boxes are those of the padded square that LLaVA-1.5 sees; with
 * `compat`, of the image itself, as lmms-eval compares them whatever the model was trained on.
 */
async function readReferences(options: Options, files: ReferenceFiles): Promise<Reference[]> {
  const { data, split, compat = false } = options;
  const { folder: dataset, by } = files;
  const table = await hubTable(options, files);
  if (table !== undefined) {
    const references: Reference[] = [];
    for await (const reference of tableReferences(table, compat)) references.push(reference);
    return references;
  }
  const inside = within(["", `${dataset}/`]);
  const referencePath = locateFile(data, inside(`refs(${by}).p`));
  const instancePath = locateFile(data, inside("instances.json"));
  const references = check(referenceSchema, await readPickle(referencePath), referencePath);
  const instances = await readDocument(instancePath, instanceSchema);
  const images = new Map(instances.images.map((image) => [image.id, image]));
  const annotations = new Map(instances.annotations.map((annotation) => [annotation.id, annotation]));
  const folder = imageFolder(data, ["train2014", "coco/train2014", "images/train2014"]);
  return references
    .filter((reference) => reference.split === split)
    .map(({ ref_id, ann_id, sentences }) => {
      const annotation = annotations.get(ann_id);
      const image = images.get(annotation?.image_id ?? -1);
      if (annotation === undefined || image === undefined)
        throw new LlavaError("data", `${instancePath}: lacks object ${ann_id} of ${referencePath}`, {
          hint: "Take both files from the same archive.",
        });
      const [left, top, width, height] = annotation.bbox;
      const corners: Box = [left, top, left + width, top + height];
      return {
        id: String(ref_id),
        image: join(folder, image.file_name),
        box: (compat ? inImage : inPaddedSquare)(corners, image.width, image.height),
        sentences: sentences.map(({ sent_id, sent }) => ({ id: String(sent_id), text: sent })),
      };
    });
}
