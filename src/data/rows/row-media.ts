import { LlavaError } from "../../errors.ts";
import { imageMark, mediaAtMarks, videoMark } from "../../processing/conversation/index.ts";
import { RowError, type RowImage, type RowTurn } from "../../protocol/index.ts";

/** What a row names, of each kind in its order. */
export interface NamedMedia {
  readonly images: readonly string[];
  readonly videos: readonly string[];
}

/** Turns with one mark for all media, which are in the order of their marks. */
export interface PlacedMedia {
  readonly images: readonly RowImage[];
  readonly turns: readonly RowTurn[];
}

/**
 * Which of a row's images and videos stand at the marks of its questions: where videos have marks of their own, both kinds at
 * theirs in turn; otherwise a row about videos alone has them at `<image>`, as the original code has it.
 * @throws RowError "placeholders" beginning with `where`, for a row with videos whose marks do not tell
 */
export function placeMedia(
  { images, videos }: NamedMedia,
  turns: readonly RowTurn[],
  where: string,
): PlacedMedia {
  const named: RowImage[] = [
    ...images.map((name) => ({ name })),
    ...videos.map((name) => ({ name, isVideo: true as const })),
  ];
  if (videos.length === 0) return { images: named, turns };
  const asked = turns.flatMap(({ from, value }) => (from === "human" ? [value] : [])).join("\n");
  const refuse = (message: string): never => {
    throw new RowError("placeholders", `${where}: ${message}`, {
      hint: `Write ${imageMark} where an image goes and ${videoMark} where a video goes, once for each.`,
    });
  };
  if (images.length > 0 && !asked.includes(videoMark))
    refuse(`which of its ${imageMark} is a video cannot be told`);
  try {
    const order = mediaAtMarks(
      asked,
      named.map(({ isVideo }) => ({ type: isVideo ? "video" : "image" })),
    );
    const marked = ({ from, value }: RowTurn): RowTurn =>
      from === "human" ? { from, value: value.replaceAll(videoMark, imageMark) } : { from, value };
    return { images: order.map((at) => named[at]!), turns: turns.map(marked) };
  } catch (error) {
    if (!(error instanceof LlavaError) || error instanceof RowError) throw error;
    const marks = [imageMark, videoMark].map((mark) => `${asked.split(mark).length - 1} ${mark}`);
    return refuse(
      `${marks.join(" and ")} in its questions, but ${images.length} images and ${videos.length} videos`,
    );
  }
}
