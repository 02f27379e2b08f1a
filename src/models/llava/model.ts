import { canonicalNames, type Naming, naming } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { Module, placeholder } from "../../nn/index.ts";
import { type ImageLayout, tilesOf } from "../../processing/image/index.ts";
import { aten, cat, type DType, inChunks, type Tensor } from "../../torch/index.ts";
import type { LanguageModel, Named } from "../language-model.ts";
import { under } from "../under.ts";
import type { SegmentedForward, TowerOptions, VisionTower } from "../vision-tower.ts";
import type { FrameConvolution } from "./pack-frames.ts";
import { packFrames, poolFrames } from "./pack-frames.ts";
import { packTiles } from "./pack-tiles.ts";
import type { Projector } from "./projector.ts";

export interface LlavaParts {
  readonly visionTower: VisionTower;
  readonly projector: Projector;
  readonly languageModel: LanguageModel;
  /** Id that stands in `inputIds` for one row of image features. It need not be in the vocabulary. */
  readonly imageTokenId: number;
  /** Pools frames of videos by weights of its own, where the model was made for it. */
  readonly visionResampler?: FrameConvolution;
  /** [D], after each row of an image's joined tiles (see `packTiles`), where the model was made for it. */
  readonly imageNewline?: Tensor;
}

/** What is to be seen of images and videos, in order of appearance: N tiles, all of one after all of another. */
export type Visual = (
  | /** Pixel values [N, 3, H, W]. */ { readonly pixels: Tensor }
  | /** Features of the tower [N, tokens, C]. */ { readonly features: Tensor }
) & {
  /** How each image was cut; without it each is one tile. */
  readonly layouts?: readonly ImageLayout[];
};

/** Tiles through the tower at once; more go in turns, so that an image of many takes no more memory. */
export const TILES_AT_ONCE = 64;

/** Paths in the module and canonical names. */
export const llavaPaths = naming(["language_model.lm_head", "lm_head"], ["", "model."]);

/** Vision tower → projector → splice into the token embeddings → language model (arXiv 2304.08485, figure 1). */
export class Llava extends Module implements Named {
  protected override readonly keys = { projector: "multi_modal_projector" };
  readonly visionTower: VisionTower;
  readonly projector: Projector;
  readonly languageModel: LanguageModel;
  readonly visionResampler: FrameConvolution | undefined;
  imageNewline: Tensor | undefined;
  /** Tiles that go through the tower at once. */
  tilesAtOnce = TILES_AT_ONCE;
  readonly #imageTokenId: number;
  #computeDtype: DType | undefined;

  constructor(parts: LlavaParts) {
    super();
    this.visionTower = parts.visionTower;
    this.projector = parts.projector;
    this.languageModel = parts.languageModel;
    this.visionResampler = parts.visionResampler;
    this.imageNewline = parts.imageNewline;
    this.#imageTokenId = parts.imageTokenId;
  }

  /** Gives a model that had none a newline, without values yet. */
  addNewline(): void {
    this.imageNewline = placeholder([this.languageModel.config.hiddenSize]);
  }

  get paths(): Naming {
    return llavaPaths;
  }
  get layout(): Naming {
    return canonicalNames;
  }
  get unused(): readonly RegExp[] {
    return [
      ...under("language_model", this.languageModel.unused),
      ...under("vision_tower", this.visionTower.unused),
    ];
  }

  get imageTokenId(): number {
    return this.#imageTokenId;
  }

  /**
   * Element type of activations in the language model, the projector and a tower that learns, whatever that of their
   * weights; by default, and in a frozen tower, each part computes in the type of its weights.
   */
  set computeDtype(dtype: DType) {
    this.#computeDtype = dtype;
    this.languageModel.computeDtype = dtype;
  }
  get computeDtype(): DType {
    return this.languageModel.computeDtype;
  }

  /** input ids int64 [B, T], pixel values [N, 3, H, W] for N images in order of appearance → logits [B, T, vocab]. */
  forward(inputIds: Tensor, pixelValues?: Tensor): Tensor {
    const inputs = this.embed(inputIds, pixelValues && { pixels: pixelValues }); // [B, T, D]
    return this.languageModel.logits(this.languageModel.forward(inputs));
  }

  /** input ids int64 [B, T] → [B, T, D], what is seen of the images in the places of their tokens */
  embed(inputIds: Tensor, visual?: Visual): Tensor {
    if (visual === undefined) return this.languageModel.embed(inputIds);
    const features = "pixels" in visual ? this.encodeImages(visual.pixels) : visual.features;
    return this.spliceImages(inputIds, this.tokens(features, visual.layouts));
  }

  /** Features of the tower [N, tokens, C] → the tokens of all images and videos [T, D] */
  tokens(features: Tensor, layouts?: readonly ImageLayout[]): Tensor {
    if (!layouts?.some(({ tiles }) => tiles === "frames")) return this.pack(this.project(features), layouts);
    const { grid } = this.visionTower;
    const media = features.split(layouts.map(tilesOf));
    return cat(
      layouts.map((layout, i) => {
        if (layout.tiles !== "frames") return this.pack(this.project(media[i]!), [layout]);
        const projected = this.project(
          poolFrames(media[i]!, layout, "before", { grid, convolution: this.visionResampler }),
        );
        const pooled = poolFrames(projected, layout, "after", { grid });
        return packFrames(pooled, layout, { grid, newline: this.imageNewline });
      }),
    );
  }

  /** pixel values [N, 3, H, W] → features of the tower [N, tokens, C] */
  encodeImages(pixelValues: Tensor, options: TowerOptions = {}): Tensor {
    const { dtype, device, requiresGrad } = this.visionTower.parameters()[0]!;
    const computeDtype = (requiresGrad && this.#computeDtype) || dtype;
    // What a tower that learns computes on the way is kept in any case.
    const most = requiresGrad ? this.tilesAtOnce : (this.visionTower.tilesAtOnce ?? this.tilesAtOnce);
    const encode = (tiles: Tensor, each?: TowerOptions): Tensor =>
      this.visionTower.forward(tiles.toDevice(device).to(computeDtype), each);
    const { runLayer, runEach } = options;
    if (requiresGrad && runEach && this.visionTower.layers)
      return encode(pixelValues, { runEach, tilesAtOnce: most });
    return inChunks(pixelValues, most, (tiles) => encode(tiles, { runLayer }));
  }

  /** The same of few tiles, for who has other things to do between segments; nothing learns meanwhile. */
  *encodeInSegments(pixelValues: Tensor): SegmentedForward {
    const { dtype, device } = this.visionTower.parameters()[0]!;
    return yield* this.visionTower.segments(pixelValues.toDevice(device).to(dtype));
  }

  /** Projected features of images' tiles [N, tokens, D] → the tokens of all images [T, D] */
  pack(projected: Tensor, layouts?: readonly ImageLayout[]): Tensor {
    if (layouts === undefined || layouts.every(({ tiles }) => tiles === "whole"))
      return projected.flatten(0, 1);
    const packing = { tile: this.visionTower.grid, newline: this.imageNewline };
    const images = projected.split(layouts.map(tilesOf));
    return cat(
      layouts.map((layout, i) =>
        layout.tiles === "anyres" || layout.tiles === "padded"
          ? packTiles(images[i]!, layout, packing)
          : images[i]!.flatten(0, 1),
      ),
    );
  }

  /** [N, tokens, C] → [N, tokens, D] in the language model's dtype. */
  project(features: Tensor): Tensor {
    const dtype = this.#computeDtype ?? this.projector.parameters()[0]?.dtype ?? features.dtype;
    return this.projector.forward(features.to(dtype)).to(this.languageModel.computeDtype);
  }

  /** Token embeddings [B, T, D] with the rows of image placeholders replaced by projected features [T, D] or [N, tokens, D]. */
  spliceImages(inputIds: Tensor, projected: Tensor): Tensor {
    const isImage = inputIds.eq(this.#imageTokenId); // [B, T]
    const text = this.languageModel.embed(inputIds.maskedFill(isImage, 0)); // [B, T, D]
    const rows = aten.nonzero(isImage.flatten()).squeeze(1);
    const features = projected.flatten(0, -2); // [T, D]
    if (rows.size(0) !== features.size(0))
      throw new LlavaError(
        "prompt",
        `Image tokens (${rows.size(0)}) do not match image features (${features.size(0)})`,
        {
          hint: "Each <image> of a prompt needs one image, and the processor must count as many tokens as the tower gives.",
        },
      );
    return aten.indexCopy(text.flatten(0, 1), 0, rows, features).view(text.shape);
  }
}
