import { LlavaError } from "../errors.ts";
import { mixSeed, permutation } from "./random.ts";
import type { LlavaRow } from "./rows.ts";

export interface Caption {
  /** Id of the row it comes from. */
  readonly id: string;
  readonly text: string;
}

/** An image and all captions that the data has for it. */
export interface CaptionedImage {
  readonly image: string;
  readonly captions: readonly Caption[];
}

/**
 * Rows as the plain template of stage 1 sees them: an image and the answer that describes it; the question is not used.
 * Rows of the same image come together. Throws `data` for a row without image or of another form than one turn each.
 */
export function captionedImages(rows: readonly LlavaRow[]): CaptionedImage[] {
  const byImage = new Map<string, Caption[]>();
  for (const { id, image, conversations } of rows) {
    const [question, answer] = conversations;
    if (
      image === undefined ||
      conversations.length !== 2 ||
      question?.from !== "human" ||
      answer?.from !== "gpt"
    )
      throw new LlavaError("data", `row ${id}: captioning needs an image, one human turn and one gpt turn`, {
        hint: "Conversations are for the fine-tuning stage.",
      });
    const captions = byImage.get(image) ?? [];
    captions.push({ id, text: answer.value.trim() });
    byImage.set(image, captions);
  }
  return [...byImage].map(([image, captions]) => ({ image, captions }));
}

/** Some captions of one image that share its tokens. */
export interface CaptionGroup {
  readonly image: string;
  readonly captions: readonly Caption[];
}

/**
 * Cuts the captions of every image into groups of at most `size`. Which captions meet in a group depends on the epoch;
 * the number of groups does not.
 */
export class CaptionGroups {
  readonly #images: readonly CaptionedImage[];
  readonly #size: number;
  readonly #groups: { image: number; part: number }[];

  constructor(images: readonly CaptionedImage[], size: number) {
    this.#images = images;
    this.#size = size;
    this.#groups = images.flatMap(({ captions }, image) =>
      Array.from({ length: Math.ceil(captions.length / size) }, (_, part) => ({ image, part })),
    );
  }

  get count(): number {
    return this.#groups.length;
  }

  get captions(): number {
    return this.#images.reduce((sum, { captions }) => sum + captions.length, 0);
  }

  at(index: number, epoch: number, seed: number): CaptionGroup {
    const { image, part } = this.#groups[index]!;
    const { image: name, captions } = this.#images[image]!;
    const order = permutation(captions.length, mixSeed(seed, epoch, image));
    const chosen = order.subarray(part * this.#size, (part + 1) * this.#size);
    return { image: name, captions: Array.from(chosen, (i) => captions[i]!) };
  }
}
