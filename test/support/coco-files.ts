import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mulberry32, pick } from "../../src/random/index.ts";

const things = ["dog", "cat", "horse", "car", "bench", "kite", "boat", "umbrella", "bicycle", "bird"];
const places = ["beach", "lawn", "street", "hill", "square", "shore"];
const colors = ["brown", "red", "white", "black", "green", "blue"];

export interface CocoFiles {
  readonly captions: string;
  readonly boxes: string;
  readonly images: readonly { readonly id: string; readonly captions: readonly string[] }[];
}

/** Captions and instances as COCO ships them, about images that there are not, blanks and crowds as in real ones. */
export function writeCoco(folder: string, count: number, seed = 1): CocoFiles {
  const random = mulberry32(seed);
  const categories = things.map((name, index) => ({ id: index + 1, name }));
  const images = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    file_name: `${String(index + 1).padStart(12, "0")}.jpg`,
    width: 640,
    height: 480,
  }));
  const annotations: { image_id: number; caption: string }[] = [];
  const instances: { image_id: number; category_id: number; bbox: number[]; iscrowd: number }[] = [];
  for (const { id } of images) {
    const [one, other] = [pick(categories, random), pick(categories, random)];
    const [color, place] = [pick(colors, random), pick(places, random)];
    for (const caption of [
      ` A ${color} ${one.name} and a ${other.name} on the ${place} number ${id}. `,
      `There is a ${one.name} near a ${other.name}\non ${place} ${id}.`,
      `The ${place} ${id} with a ${color} ${one.name}.`,
    ])
      annotations.push({ image_id: id, caption });
    for (const { id: category_id } of [one, other])
      instances.push({ image_id: id, category_id, bbox: [64, 48, 100 + id, 120], iscrowd: 0 });
    if (id % 10 === 0) instances.push({ image_id: id, category_id: 1, bbox: [0, 0, 640, 480], iscrowd: 1 });
  }
  const [captions, boxes] = [join(folder, "captions.json"), join(folder, "instances.json")];
  writeFileSync(captions, JSON.stringify({ images, annotations }));
  writeFileSync(boxes, JSON.stringify({ images, categories, annotations: instances }));
  return {
    captions,
    boxes,
    images: images.map(({ id, file_name }) => ({
      id: file_name.replace(".jpg", ""),
      captions: annotations.flatMap(({ image_id, caption }) => (image_id === id ? [caption] : [])),
    })),
  };
}
