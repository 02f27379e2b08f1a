import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readLines } from "../../../files/index.ts";
import type { BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import {
  imageFolder,
  locateFile,
  locateQuestions,
  readCocoCaptions,
  readDocument,
  type TableFiles,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { CaptionCorpus } from "../../metrics/index.ts";

/** An image and what people wrote about it; undefined for splits that keep it back. */
interface CaptionedImage {
  readonly id: string;
  readonly image: string;
  readonly captions?: readonly string[] | undefined;
}

export interface CaptionItem extends BenchmarkItem, CaptionedImage {
  readonly corpus: CaptionCorpus;
}

export type CaptionReader = (place: {
  readonly data: string;
  readonly split: string;
}) => Promise<CaptionedImage[]>;

export async function* loadCaptions(
  { data, split, answered }: DatasetOptions & { split: string },
  read: CaptionReader,
): AsyncGenerator<CaptionItem> {
  const images = await read({ data, split });
  const corpus = new CaptionCorpus(images, answered);
  for (const image of images) yield { ...image, corpus };
}

/** COCO's own annotations: captions_val2014.json, captions_val2017.json, image_info_test2014.json. */
export const readCoco: CaptionReader = async ({ data, split }) => {
  const name = split.startsWith("test") ? `image_info_${split}.json` : `captions_${split}.json`;
  const source = await locateQuestions(data, split, within(["", "annotations/", "coco/annotations/"])(name), [
    { columns: ["question_id", "answer", "id", "image"] },
    { columns: ["index", "answer", "image"], without: ["A"] },
  ]);
  if ("table" in source) return tableImages(source.table, ["index", "id"], "answer");
  const { path } = source;
  const folder = imageFolder(data, [split, `coco/${split}`, "images"]);
  const images = await readCocoCaptions(path);
  return images.map(({ id, file, captions }) => ({ id, image: join(folder, file), captions }));
};

/** A row an image, as lmms-lab and VLMEvalKit have them; of rows about one image the captions are put together. */
async function tableImages(
  table: TableFiles,
  ids: readonly string[],
  captions: string,
): Promise<CaptionedImage[]> {
  const images = new Map<string, { id: string; image: string; captions: string[] | undefined }>();
  for await (const row of tableRows(table)) {
    const id = row.text(...ids);
    const own = row.list(captions);
    const known = images.get(id);
    if (known === undefined) images.set(id, { id, image: row.image() ?? "", captions: own });
    else if (own !== undefined) known.captions = [...new Set([...(known.captions ?? []), ...own])];
  }
  return [...images.values()];
}

const karpathySchema = z.object({
  images: z.array(
    z.object({
      filename: z.string(),
      filepath: z.string().optional(),
      split: z.string(),
      cocoid: z.number().optional(),
      sentences: z.array(z.object({ raw: z.string() })),
    }),
  ),
});

/** Karpathy's splits of COCO, Flickr30k and Flickr8k: dataset_coco.json. COCO's ids are numbers, others file names. */
export const readKarpathy =
  (dataset: string, folders: readonly string[]): CaptionReader =>
  async ({ data, split }) => {
    const name = `dataset_${dataset}.json`;
    const source = await locateQuestions(
      data,
      split,
      [name, `${dataset}/${name}`, `karpathy/${name}`],
      [{ columns: ["filename", "caption", "image"] }],
    );
    if ("table" in source) return tableImages(source.table, ["filename"], "caption");
    const { path } = source;
    const { images } = await readDocument(path, karpathySchema);
    const wanted = split.replace("karpathy-", "");
    return images
      .filter((image) => image.split === wanted)
      .map(({ cocoid, filename, filepath, sentences }) => ({
        id: String(cocoid ?? filename),
        image: join(
          imageFolder(data, filepath === undefined ? folders : [filepath, `coco/${filepath}`]),
          filename,
        ),
        captions: sentences.map(({ raw }) => raw),
      }));
  };

const textCapsSchema = z.object({
  data: z.array(
    z.object({
      image_id: z.string(),
      reference_strs: z.array(z.string()).optional(),
      caption_str: z.string().optional(),
    }),
  ),
});

/** TextCaps_0.1_val.json has a row for each caption, which may hold all five. */
export const readTextCaps: CaptionReader = async ({ data, split }) => {
  const name = `TextCaps_0.1_${split}.json`;
  const source = await locateQuestions(data, split, within(["", "textcaps/"])(name), [
    { columns: ["image_id", "reference_strs", "image"] },
  ]);
  if ("table" in source) return tableImages(source.table, ["image_id"], "reference_strs");
  const { path } = source;
  const { data: rows } = await readDocument(path, textCapsSchema);
  const folder = imageFolder(
    data,
    within(["", "textcaps/"])(`${split === "test" ? "test" : "train"}_images`),
  );
  const captions = new Map<string, string[]>();
  const images = new Map<string, CaptionedImage>();
  for (const { image_id: id, reference_strs, caption_str } of rows) {
    if (reference_strs !== undefined) captions.set(id, reference_strs);
    else if (caption_str !== undefined) append(captions, id, caption_str);
    images.set(id, { id, image: join(folder, `${id}.jpg`) });
  }
  return [...images.values()].map((image) => ({ ...image, captions: captions.get(image.id) }));
};

/** Flickr8k.token.txt: "name.jpg#0", a tab and a caption, a line each; and a list of names for each split. */
export const readFlickr8k: CaptionReader = async ({ data, split }) => {
  const inside = within(["", "text/", "Flickr8k_text/"]);
  const captions = new Map<string, string[]>();
  for await (const { text } of readLines(locateFile(data, inside("Flickr8k.token.txt")))) {
    const [, name, caption] = /^(.*)#\d+\t(.*)$/.exec(text) ?? [];
    if (name !== undefined && caption !== undefined) append(captions, name, caption);
  }
  const list = locateFile(data, inside(`Flickr_8k.${split}Images.txt`));
  const names = (await readFile(list, "utf8")).split(/\s+/).filter((name) => name !== "");
  const folder = imageFolder(data, ["images", "Flicker8k_Dataset", "Flickr8k_Dataset"]);
  return names.map((id) => ({ id, image: join(folder, id), captions: captions.get(id) }));
};

function append(captions: Map<string, string[]>, id: string, caption: string): void {
  const known = captions.get(id);
  if (known === undefined) captions.set(id, [caption]);
  else known.push(caption);
}
