import { writeExampleFile } from "../example-files.ts";

type Value = string | number | readonly Value[] | { readonly [key: string]: Value };

/** A value in the oldest form of Python's pickles, as Python 2 wrote texts. */
function pickle(value: Value): string {
  if (typeof value === "string") return `S'${value}'\n`;
  if (typeof value === "number") return `I${value}\n`;
  if (Array.isArray(value)) return `(l${value.map((element: Value) => `${pickle(element)}a`).join("")}`;
  return `(d${Object.entries(value)
    .map(([key, element]) => `${pickle(key)}${pickle(element)}s`)
    .join("")}`;
}

export default async function writeExample(data: string): Promise<void> {
  const splits = { refcoco: "unc", "refcoco+": "unc", refcocog: "umd" };
  for (const [folder, by] of Object.entries(splits)) {
    const references = ["train", "val", "test", "testA", "testB"].map((split, index) => ({
      ref_id: index,
      ann_id: 1719310,
      image_id: 581857,
      split,
      file_name: "COCO_train2014_000000581857_16.jpg",
      category_id: 1,
      sent_ids: [2 * index, 2 * index + 1],
      sentences: ["the lady with the blue shirt", "lady"].map((sent, place) => ({
        sent_id: 2 * index + place,
        sent,
        raw: `${sent}.`,
        tokens: sent.split(" "),
      })),
    }));
    await writeExampleFile(data, `${folder}/refs(${by}).p`, `${pickle(references)}.`);
    const images = [
      { id: 581857, file_name: "COCO_train2014_000000581857.jpg", width: 427, height: 640, license: 1 },
    ];
    const annotations = [
      {
        id: 1719310,
        image_id: 581857,
        bbox: [103.93, 299.99, 134.22, 177.42],
        category_id: 1,
        area: 14863.6,
      },
    ];
    await writeExampleFile(data, `${folder}/instances.json`, JSON.stringify({ images, annotations }));
  }
}
