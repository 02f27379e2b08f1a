import { type Markup, markup, saveChart } from "../../../charts/index.ts";
import type { RgbImage } from "../../../processing/image/index.ts";
import type { OpenedMedium } from "../../../processing/processor/index.ts";
import { pngAddress } from "./draw-tiles.ts";

const COLUMNS = 4;
const WIDTH = 240;
const CAPTION = 26;
const MARGIN = 8;

/** Writes the frames that are seen of a video side by side, each with its number and its time, as .svg or .png. */
export async function drawFrames(
  path: string,
  { video, sampled }: Extract<OpenedMedium, { video: unknown }>,
): Promise<void> {
  const height = Math.max(1, Math.round((WIDTH * video.size.height) / video.size.width));
  const columns = Math.min(COLUMNS, sampled.indices.length);
  const rows = Math.ceil(sampled.indices.length / columns);
  const pictures: Markup[] = [];
  for await (const frame of video.frames(sampled.indices))
    pictures.push(await picture(frame, pictures.length));
  const [width, whole] = [columns * (WIDTH + MARGIN) + MARGIN, rows * (height + CAPTION) + MARGIN];
  const sheet = markup`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${whole}" width="${width}" height="${whole}" font-family="sans-serif"><title>${video.where}</title><rect width="100%" height="100%" fill="#ffffff"/>${pictures}</svg>`;
  await saveChart(path, sheet.source);

  async function picture(frame: RgbImage, at: number): Promise<Markup> {
    const [x, y] = [
      MARGIN + (at % columns) * (WIDTH + MARGIN),
      MARGIN + Math.floor(at / columns) * (height + CAPTION),
    ];
    const caption = `${sampled.indices[at]}: ${sampled.times[at]!.toFixed(2)} s`;
    return markup`<image x="${x}" y="${y}" width="${WIDTH}" height="${height}" preserveAspectRatio="none" href="${await pngAddress(frame, { width: WIDTH, height })}"/><text x="${x}" y="${y + height + 18}" font-size="15" fill="#202124">${caption}</text>`;
  }
}
