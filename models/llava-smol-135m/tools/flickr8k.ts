/** Writes LLaVA rows of Flickr8k: node models/llava-smol-135m/tools/flickr8k.ts <folder of the caption files> <output folder> */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { flickrRows } from "../../../src/datagen/index.ts";
import { writeAtomically } from "../../../src/files/index.ts";

const [folder, output] = process.argv.slice(2);
if (folder === undefined || output === undefined) {
  console.error(
    "usage: node models/llava-smol-135m/tools/flickr8k.ts <folder with Flickr8k.token.txt> <output folder>",
  );
  process.exit(2);
}
const captionFile = join(folder, "Flickr8k.token.txt");
const captions = readFileSync(captionFile, "utf8");
mkdirSync(output, { recursive: true });
for (const split of ["train", "dev", "test"]) {
  const images = readFileSync(join(folder, `Flickr_8k.${split}Images.txt`), "utf8");
  const rows = flickrRows(captions, images, captionFile);
  const path = join(output, `${split}.json`);
  writeAtomically(path, [JSON.stringify(rows)]);
  console.log(`${path}: ${rows.length} rows`);
}
