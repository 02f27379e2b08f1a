import { markup, saveChart } from "../../../charts/index.ts";
import { type OpenedImage, type RgbImage, sizeOnCanvas } from "../../../processing/image/index.ts";
import type { ImageAccount } from "./account.ts";

const MARGIN = 8;

/** Writes an image on its canvas, with the borders of its tiles over it, as .svg or .png; grey in the place of one that is none. */
export async function drawTiles(
  path: string,
  { name, size, layout, tokens }: ImageAccount,
  image?: OpenedImage,
): Promise<void> {
  const canvas = layout.tiles === "anyres" ? layout.canvas : size;
  const { rows, columns } = layout.tiles === "anyres" ? layout.grid : { rows: 1, columns: 1 };
  const shown = sizeOnCanvas(size, canvas);
  const [x, y] = [
    Math.floor((canvas.width - shown.width) / 2),
    Math.floor((canvas.height - shown.height) / 2),
  ];
  const [width, height] = [canvas.width / columns, canvas.height / rows];
  const tiles = Array.from({ length: rows * columns }, (_, at) => {
    const [left, top] = [(at % columns) * width, Math.floor(at / columns) * height];
    return markup`<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="none" stroke="#ff3b6b" stroke-width="3"/><text x="${left + 10}" y="${top + 28}" font-size="22" fill="#ff3b6b">${at + 1}</text>`;
  });
  const picture =
    image === undefined
      ? markup`<rect x="${x}" y="${y}" width="${shown.width}" height="${shown.height}" fill="#9aa0a6"/>`
      : markup`<image x="${x}" y="${y}" width="${shown.width}" height="${shown.height}" preserveAspectRatio="none" href="${await pngAddress(await image.decode(), shown)}"/>`;
  const drawing = markup`<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-MARGIN} ${-MARGIN} ${canvas.width + 2 * MARGIN} ${canvas.height + 2 * MARGIN + 32}" width="${canvas.width + 2 * MARGIN}" height="${canvas.height + 2 * MARGIN + 32}" font-family="sans-serif"><title>${name}</title><rect x="${-MARGIN}" y="${-MARGIN}" width="100%" height="100%" fill="#ffffff"/><rect width="${canvas.width}" height="${canvas.height}" fill="#000000"/>${picture}${tiles}<text x="0" y="${canvas.height + 28}" font-size="22" fill="#202124">${`${name}: ${columns}×${rows} tiles, ${tokens} tokens`}</text></svg>`;
  await saveChart(path, drawing.source);
}

/** A picture of a size as a `data:` address. */
export async function pngAddress(
  { data, ...raw }: RgbImage,
  { width, height }: { width: number; height: number },
): Promise<string> {
  const { default: sharp } = await import("sharp");
  const bytes = await sharp(data, { raw: { ...raw, channels: 3 } })
    .resize(width, height, { fit: "fill" })
    .png()
    .toBuffer();
  return `data:image/png;base64,${bytes.toString("base64")}`;
}
