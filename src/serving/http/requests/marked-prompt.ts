import type { ServedPrompt } from "../../../protocol/index.ts";
import { invalidField } from "../api-error.ts";
import type { MediaReader } from "../media/media-reader.ts";

/**
 * A text that is read as it stands, with `<image>` for each of its images.
 * @param images base64 of each, in order
 * @param param the field that holds them
 * @throws ApiError 400 where there are more or fewer than marks
 */
export async function markedPrompt(
  raw: string,
  images: readonly string[],
  media: MediaReader,
  param: string,
): Promise<Extract<ServedPrompt, { readonly raw: string }>> {
  const marks = raw.match(/<image>/g)?.length ?? 0;
  if (marks !== images.length)
    throw invalidField(param, `there are ${images.length}, and ${marks} <image> in the prompt`);
  const bytes: Uint8Array[] = [];
  for (const [index, base64] of images.entries())
    bytes.push(await media.image(`data:;base64,${base64}`, `${param}[${index}]`));
  return { raw, images: bytes };
}
