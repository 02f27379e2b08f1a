import { stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import sharp from "sharp";
import { type Markup, markup } from "../../charts/index.ts";

/** Side of the square that embedded pictures fit into, in pixels. */
const side = 512;

/** Embeds images as small WebP data URLs, each path read once. */
export class Pictures {
  readonly #folder: string | undefined;
  readonly #made = new Map<string, Promise<Markup>>();

  /** Images that do not lie where the result says are looked for in `folder`, by the end of their path. */
  constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  embed(images: readonly string[]): Promise<Markup[]> {
    return Promise.all(
      images.map((image) => {
        const made = this.#made.get(image) ?? this.#figure(image);
        this.#made.set(image, made);
        return made;
      }),
    );
  }

  /** The picture, or a line that says why there is none: a report is worth reading without it. */
  async #figure(image: string): Promise<Markup> {
    const isInline = image.startsWith("data:");
    const name = isInline ? "image" : basename(image);
    try {
      const file = isInline
        ? Buffer.from(image.slice(image.indexOf(",") + 1), "base64")
        : await this.#find(image);
      if (file === undefined) return markup`<p class="absent">${name}: not found</p>`;
      const { data, info } = await sharp(file)
        .rotate()
        .resize({ width: side, height: side, fit: "inside", withoutEnlargement: true })
        .webp({ quality: 78 })
        .toBuffer({ resolveWithObject: true });
      return markup`<img src="data:image/webp;base64,${data.toString("base64")}" alt="${name}" width="${info.width}" height="${info.height}">`;
    } catch (error) {
      return markup`<p class="absent">${name}: ${(error as Error).message.split("\n")[0]}</p>`;
    }
  }

  async #find(image: string): Promise<string | undefined> {
    const parts = image.split(/[\\/]+/).filter((part) => part !== "" && part !== "." && part !== "..");
    const folder = this.#folder;
    const inFolder = folder === undefined ? [] : parts.map((_, index) => join(folder, ...parts.slice(index)));
    for (const path of [...(isAbsolute(image) ? [image] : []), ...inFolder])
      if (await isFile(path)) return path;
    return undefined;
  }
}

const isFile = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
};
