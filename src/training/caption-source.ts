import {
  type CaptionedImage,
  type CaptionGroup,
  CaptionGroups,
  EpochSampler,
  mixSeed,
  packShared,
  type SamplerState,
} from "../data/index.ts";
import { LlavaError } from "../errors.ts";
import { type PromptFormat, type PromptPiece, tokenizePrompt } from "../processing/conversation/index.ts";
import type { Tokenizer } from "../processing/tokenizer/index.ts";
import { scope, stack, type Tensor } from "../torch/index.ts";
import type { FeatureSource, FrozenTower } from "./features.ts";
import type { CaptionBatch } from "./objectives/caption.ts";
import type { BatchSource } from "./objectives/objective.ts";

/** How captions become tokens: `<image tokens> caption <end>`. */
export interface CaptionTokens {
  readonly tokenizer: Tokenizer;
  readonly imageTokenId: number;
  /** What ends a caption: a special token's name, or text. */
  readonly end: string;
  /** How a question about the image is put, where captions answer one. */
  readonly promptFormat: PromptFormat;
}

export interface CaptionBatcherOptions extends CaptionTokens {
  readonly features: FeatureSource;
  readonly tower: FrozenTower;
  readonly device: string;
  readonly packedRows: number;
  /** Told of every view whose image cannot be decoded, which is then left out; may throw instead. */
  readonly onUnreadable: (view: CaptionView) => void;
}

/** A group of captions, how its image is seen, and the question that they answer if there is one. */
export interface CaptionView extends CaptionGroup {
  readonly mirrored: boolean;
  readonly question?: string | undefined;
}

/** Makes batches of captions and their images' features. */
export class CaptionBatcher {
  readonly #options: CaptionBatcherOptions;

  constructor(options: CaptionBatcherOptions) {
    this.#options = options;
  }

  /** Ids of a caption with its end. Text in a caption never becomes a special token. */
  encode(text: string): number[] {
    const { tokenizer, end } = this.#options;
    const special = tokenizer.specialTokens.get(end);
    return special === undefined ? tokenizer.encode(text + end) : [...tokenizer.encode(text), special];
  }

  /** The image alone, or in the chat template with a question about it. */
  #prefix(question: string | undefined): number[] {
    const { tokenizer, tower, imageTokenId, promptFormat } = this.#options;
    const image: PromptPiece[] = [{ image: 0 }];
    const pieces =
      question === undefined
        ? image
        : promptFormat.render([
            {
              role: "user",
              content: [
                { type: "image", image: "" },
                { type: "text", text: question },
              ],
            },
          ]);
    return tokenizePrompt(pieces, tokenizer, { imageTokens: () => tower.tokens, imageTokenId }).inputIds;
  }

  /** Views whose image cannot be decoded are left out; undefined when none remains. */
  async batch(views: readonly CaptionView[]): Promise<CaptionBatch | undefined> {
    const { features, tower, device, packedRows } = this.#options;
    const rows = await features.load(views);
    for (const [i, view] of views.entries()) if (!rows[i]) this.#options.onUnreadable(view);
    const usable = views.flatMap((view, i) => (rows[i] ? [{ ...view, row: rows[i] }] : []));
    if (usable.length === 0) return undefined;
    const tensors = scope(() => {
      const samples = usable.map(({ captions, question }) => ({
        prefix: this.#prefix(question),
        continuations: captions.map(({ text }) => this.encode(text)),
      }));
      const { order, tokens, units, ...packed } = packShared(samples, packedRows);
      const ordered = order.map((sample) => usable[sample]!.row);
      const finished = tower.finish(stack(ordered).toDevice(device).to("float32"));
      const placed = Object.fromEntries(
        Object.entries(packed).map(([name, tensor]) => [name, tensor.toDevice(device)]),
      ) as typeof packed;
      return { tokens, units, features: finished, ...placed };
    });
    for (const row of rows) row?.dispose();
    const { tokens, units, ...owned } = tensors;
    return {
      ...owned,
      tokens,
      units,
      samples: usable.flatMap(({ captions }) => captions.map(({ id }) => id)),
      [Symbol.dispose]: () => {
        for (const tensor of Object.values(owned) as Tensor[]) tensor.dispose();
      },
    };
  }
}

export interface CaptionSourceOptions {
  readonly images: readonly CaptionedImage[];
  readonly batcher: CaptionBatcher;
  readonly captionsPerImage: number;
  /** Captions in a step. */
  readonly batchSize: number;
  readonly accumulation: number;
  readonly flips: boolean;
  /** Questions of which a group's captions answer one, drawn anew each epoch, in this share of the groups. */
  readonly questions: readonly string[];
  readonly questionRatio: number;
  readonly seed: number;
}

/** Deals the captions of all images once an epoch. The batches depend on the seed and the place alone. */
export class CaptionSource implements BatchSource<CaptionBatch, SamplerState> {
  readonly #options: CaptionSourceOptions;
  readonly #groups: CaptionGroups;
  readonly #sampler: EpochSampler;
  /** Groups of captions in a step. */
  readonly groupsPerStep: number;

  constructor(options: CaptionSourceOptions) {
    this.#options = options;
    this.#groups = new CaptionGroups(options.images, options.captionsPerImage);
    this.#sampler = new EpochSampler(this.#groups.count, options.seed);
    this.groupsPerStep = Math.max(1, Math.round(options.batchSize / options.captionsPerImage));
  }

  get stepsPerEpoch(): number {
    return this.#groups.count / this.groupsPerStep;
  }

  get state(): SamplerState {
    return this.#sampler.state;
  }
  set state(state: SamplerState) {
    this.#sampler.state = state;
  }

  async next(): Promise<CaptionBatch[]> {
    const { batcher, accumulation, flips, seed } = this.#options;
    const views = this.#sampler.draw(this.groupsPerStep).map(({ index, epoch }) => ({
      ...this.#groups.at(index, epoch, seed),
      mirrored: flips && mixSeed(seed, epoch, index, 1) % 2 === 1,
      question: this.#question(mixSeed(seed, epoch, index, 2)),
    }));
    const size = Math.ceil(views.length / accumulation);
    const batches: CaptionBatch[] = [];
    for (let start = 0; start < views.length; start += size) {
      const batch = await batcher.batch(views.slice(start, start + size));
      if (batch) batches.push(batch);
    }
    if (batches.length > 0) return batches;
    throw new LlavaError("data", `no image of a whole step can be decoded, ${views[0]!.image} for example`);
  }

  /** `draw` is a random 32-bit number. */
  #question(draw: number): string | undefined {
    const { questions, questionRatio } = this.#options;
    const place = (draw >>> 0) / 2 ** 32 / questionRatio;
    return place < 1 ? questions[Math.floor(place * questions.length)] : undefined;
  }
}
