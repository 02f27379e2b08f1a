/** A thing in an image. */
export interface Box {
  readonly category: string;
  /** Left, top, right, bottom as fractions of the image's width and height. */
  readonly corners: readonly [number, number, number, number];
}

/** What a teacher is told of an image that it does not see. */
export interface SceneItem {
  /** Unlike any other's. */
  readonly id: string;
  /** Relative to the folder of images. */
  readonly image: string;
  /** Whether it is a video that `image` names. */
  readonly isVideo?: boolean;
  readonly captions: readonly string[];
  /** Empty where none are known. */
  readonly boxes: readonly Box[];
}

/** The field of a row that names an item's medium. */
export const mediumField = ({
  image,
  isVideo,
}: Pick<SceneItem, "image" | "isVideo">): { image: string } | { video: string } =>
  isVideo ? { video: image } : { image };

/** Stands in a row's text where its medium goes. */
export const mediumMark = ({ isVideo }: Pick<SceneItem, "isVideo">): string =>
  isVideo ? "<video>" : "<image>";

/** Captions a line each and, if told so, a blank line and the boxes, as LLaVA's queries have them. */
export function sceneText(
  { captions, boxes }: Pick<SceneItem, "captions" | "boxes">,
  withBoxes: boolean,
): string {
  const lines = boxes.map(
    ({ category, corners }) => `${category}: [${corners.map(pythonNumber).join(", ")}]`,
  );
  const text = captions.join("\n");
  return withBoxes && lines.length > 0 ? `${text}\n\n${lines.join("\n")}` : text;
}

/** A fraction as Python prints `round(value, 3)`: halves go to the even digit, and whole numbers keep a ".0". */
export function pythonNumber(value: number): string {
  // Only odd sixteenths lie exactly between two thousandths.
  const isTie = Number.isInteger(value * 16) && !Number.isInteger(value * 8);
  const floor = Math.floor(value * 1000);
  const rounded = isTie ? (floor + (floor % 2 === 0 ? 0 : 1)) / 1000 : Number(value.toFixed(3));
  return Number.isInteger(rounded) ? `${Math.abs(rounded)}.0` : String(rounded);
}
