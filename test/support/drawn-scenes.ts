import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { mulberry32, pick } from "../../src/random/index.ts";

const colours = { red: "#d02020", green: "#209020", blue: "#2040d0", yellow: "#e0c020", white: "#f0f0f0" };
const forms = ["ball", "box"] as const;
const grounds = { grass: "#60a050", sand: "#d8c890", snow: "#e8ecf0", water: "#5090c0" };

/** Pictures of a thing of some colour on some ground, with what COCO ships about its photos. */
export async function drawScenes(
  folder: string,
  count: number,
  seed = 1,
): Promise<{ readonly images: string; readonly captions: string; readonly boxes: string }> {
  const images = join(folder, "scenes");
  mkdirSync(images, { recursive: true });
  const random = mulberry32(seed);
  const [width, height] = [160, 120];
  const photos = [];
  const annotations = [];
  const boxes = [];
  for (let id = 1; id <= count; id++) {
    const [colour, form, ground] = [
      pick(Object.keys(colours), random) as keyof typeof colours,
      pick(forms, random),
      pick(Object.keys(grounds), random) as keyof typeof grounds,
    ];
    const side = 40 + Math.floor(30 * random());
    const [left, top] = [Math.floor((width - side) * random()), Math.floor((height - side) * random())];
    const file_name = `${String(id).padStart(12, "0")}.png`;
    const drawing =
      form === "ball"
        ? `<circle cx="${left + side / 2}" cy="${top + side / 2}" r="${side / 2}" fill="${colours[colour]}"/>`
        : `<rect x="${left}" y="${top}" width="${side}" height="${side}" fill="${colours[colour]}"/>`;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="${grounds[ground]}"/>${drawing}</svg>`;
    await sharp(Buffer.from(svg)).png().toFile(join(images, file_name));
    photos.push({ id, file_name, width, height });
    for (const caption of [
      `A ${colour} ${form} lies on the ${ground}.`,
      `On the ${ground} there is a ${colour} ${form}.`,
    ])
      annotations.push({ image_id: id, caption });
    boxes.push({
      image_id: id,
      category_id: 1 + forms.indexOf(form),
      bbox: [left, top, side, side],
      iscrowd: 0,
    });
  }
  const categories = forms.map((name, at) => ({ id: at + 1, name }));
  const [captionFile, boxFile] = [join(folder, "captions.json"), join(folder, "instances.json")];
  writeFileSync(captionFile, JSON.stringify({ images: photos, annotations }));
  writeFileSync(boxFile, JSON.stringify({ images: photos, categories, annotations: boxes }));
  return { images, captions: captionFile, boxes: boxFile };
}
