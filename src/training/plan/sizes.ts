import { z } from "zod";
import {
  createLanguageModel,
  createLlava,
  EfficientNetLite,
  efficientNetLiteVariants,
  type LanguageModel,
  type LanguageModelConfig,
  type Llava,
  type LlavaConfig,
  type Projector,
} from "../../models/index.ts";
import { bytesInBlocks, type FewBits } from "../../pretrained/index.ts";
import {
  type FeatureGrid,
  type ImageLayout,
  type ImageSize,
  layoutOf,
  rowsOf,
  tilesOf,
  tokensOf,
} from "../../processing/image/index.ts";
import { type VideoConfig, zeroShotVideo } from "../../processing/video/index.ts";
import type { Recipe } from "../recipe/recipe.ts";

const whole: ImageLayout = { tiles: "whole", size: undefined };
/** What an image is taken for where its tokens depend on its size: most photos of data sets are like it. */
export const TYPICAL_PHOTO: ImageSize = { width: 640, height: 480 };

/** What a model's parts weigh and compute, without its weights. */
export interface ModelSizes {
  readonly text: LanguageModelConfig;
  readonly parameters: {
    readonly visionTower: number;
    readonly projector: number;
    readonly languageModel: number;
  };
  /** Of the language model: what its decoder layers' matrices hold, and what the adapted ones are made of. */
  readonly layerMatrices: number;
  /** [out, in] of the decoder layers' linear layers, by the ends of their names. */
  readonly linears: ReadonlyMap<string, readonly [number, number]>;
  /** Widths of the features, of what lies between the projector's layers, and of the language model. */
  readonly projectorWidths: readonly number[];
  readonly imageTokens: number;
  readonly video: VideoSizes;
  /** Tiles that the tower sees of an image, and feature rows of each. */
  readonly tiles: number;
  readonly tileRows: number;
  readonly tower: TowerSizes;
}

/** How a model sees videos. */
interface VideoSizes {
  /** Frames of one that is long enough. */
  readonly frames: number;
  /** Tokens of one of so many frames. */
  tokens(frames: number): number;
  /** Whether features are pooled before the projector. */
  readonly pooledBefore: boolean;
}

/** Every frame of a rule without a limit: that many of a minute at 2 a second. */
const UNLIMITED = 120;

const videoSizes = (grid: FeatureGrid, { sampling, pooling, newlines }: FramesSeen): VideoSizes => ({
  frames:
    "frames" in sampling
      ? (sampling.frames ?? UNLIMITED)
      : ("most" in sampling && sampling.most) || UNLIMITED,
  tokens: (frames) => tokensOf({ tiles: "frames", size: TYPICAL_PHOTO, frames, pooling, newlines }, grid),
  pooledBefore: pooling.place === "before",
});

type FramesSeen = Pick<VideoConfig, "sampling" | "pooling" | "newlines">;

interface TowerSizes {
  /** Numbers that the pass of one image through a layer makes, all of its intermediate results together. */
  readonly perLayer: number;
  /** Numbers that stay from layer to layer, of all layers together. */
  readonly between: number;
  /** Numbers that backward needs of an image where the tower learns. */
  readonly saved: number;
  /** Those of them that are there at once where layers are computed again: their inputs, and what the largest saves. */
  readonly recomputed: number;
  /** The part of the tower's weights that its largest layer has. */
  readonly layerShare: number;
  /** Of the pass of one image: a product and a sum are two. */
  readonly operations: number;
  /** Whether it computes in float32 whatever the recipe says. */
  readonly isPrecise: boolean;
}

/** A model with a CLIP tower, from its configuration. */
export function modelSizes(config: LlavaConfig, video?: FramesSeen): ModelSizes {
  const { tiling, grid } = config;
  const layout = tiling === undefined ? whole : layoutOf(TYPICAL_PHOTO, { tiling });
  using model = createLlava(config); // shapes without memory
  const { hiddenSize, intermediateSize, imageSize, patchSize } = config.vision;
  const tokens = Math.floor(imageSize / patchSize) ** 2 + 1;
  const layers = model.visionTower.namedParameters().size === 0 ? 0 : towerLayers(config);
  const hidden = config.projector.depth > 1 ? [config.text.hiddenSize] : [];
  // Inputs of norms and of matrices, query, key, value and what they give, and three of the MLP's width.
  const layerSaved = tokens * (9 * hiddenSize + 3 * intermediateSize);
  const between = tokens * hiddenSize * (layers + 1);
  const parameters = partParameters(model);
  return {
    ...languageSizes(config.text, model.languageModel),
    parameters,
    projectorWidths: [hiddenSize * config.featureLayers.length, ...hidden, config.text.hiddenSize],
    imageTokens: tokensOf(layout, grid),
    video: videoSizes(grid, video ?? config.video ?? zeroShotVideo(grid)),
    tiles: tilesOf(layout),
    tileRows: rowsOf(grid),
    tower: {
      perLayer: tokens * (12 * hiddenSize + 4 * intermediateSize),
      between,
      saved: layerSaved * layers,
      recomputed: layers === 0 ? 0 : layerSaved + between,
      layerShare: 1 / Math.max(1, layers),
      // Of matrices, and of attention of every position to every other.
      operations: 2 * tokens * parameters.visionTower + 4 * layers * tokens ** 2 * hiddenSize,
      isPrecise: false,
    },
  };
}

/** Layers up to the deepest whose features are used. */
const towerLayers = ({ vision, featureLayers }: LlavaConfig): number =>
  Math.max(...featureLayers.map((layer) => (layer < 0 ? vision.numLayers + 1 + layer : layer)));

/** A built-in model: its language model's configuration, and what its own config.json says. */
export function builtinSizes(
  text: LanguageModelConfig,
  { visionTower, tokensPerSide, projector }: BuiltinShape,
  recipe: Pick<Recipe, "tokensPerSide" | "video">,
): ModelSizes {
  const tower = new EfficientNetLite(visionTower);
  using languageModel = createLanguageModel(text);
  const widths = [tower.hiddenSize, projector.hiddenSize, text.hiddenSize];
  const parameters = {
    visionTower: elements(tower) + 2 * tower.hiddenSize,
    projector: widths.slice(1).reduce((sum, width, i) => sum + width * (widths[i]! + 1), 0),
    languageModel: elements(languageModel),
  };
  const side = recipe.tokensPerSide ?? tokensPerSide;
  const grid = { rows: side, columns: side, extra: 0 };
  const widest = 96 * (tower.imageSize / 2) ** 2; // the first expanded map, which is the largest
  return {
    ...languageSizes(text, languageModel),
    parameters,
    projectorWidths: widths,
    imageTokens: tokensOf(whole, grid),
    video: videoSizes(grid, recipe.video ?? zeroShotVideo(grid)),
    tiles: 1,
    tileRows: side * side,
    // Padded, convolved, normalised and bounded, and what oneDNN rearranges: seven maps were measured.
    // Computed again, what the largest block and the stem save stays, and the inputs of blocks: an estimate.
    tower: {
      perLayer: 7 * widest,
      between: 0,
      saved: 30 * widest,
      recomputed: 9 * widest,
      layerShare: 0.5,
      // As if all weights were applied wherever half of the halvings are done.
      operations: 2 * parameters.visionTower * (tower.imageSize / 16) ** 2,
      isPrecise: true,
    },
  };
}

/** Of the config.json beside a built-in model's projector. */
export const builtinShapeSchema = z.object({
  visionTower: z.enum(efficientNetLiteVariants),
  tokensPerSide: z.int().min(1),
  projector: z.object({ hiddenSize: z.int().min(1) }),
});
export type BuiltinShape = z.output<typeof builtinShapeSchema>;

function languageSizes(text: LanguageModelConfig, model: LanguageModel) {
  const linears = new Map<string, readonly [number, number]>();
  for (const [name, { shape }] of model.layers[0]!.namedParameters())
    if (shape.length === 2) linears.set(name.split(".").at(-2)!, [shape[0]!, shape[1]!]);
  const matrices = [...linears.values()].reduce((sum, [out, width]) => sum + out * width, 0);
  return { text, linears, layerMatrices: matrices * text.numLayers };
}

/** Bytes of the layers' matrices in blocks; those whose rows no block divides have `otherwise` bytes a number. */
export const layersInBlocks = (
  { linears, text }: Pick<ModelSizes, "linears" | "text">,
  weights: FewBits,
  otherwise: number,
): number =>
  text.numLayers *
  [...linears.values()].reduce((sum, shape) => sum + bytesInBlocks(shape, weights, { otherwise }), 0);

const partParameters = (model: Llava) => ({
  visionTower: elements(model.visionTower),
  projector: elements(model.projector),
  languageModel: elements(model.languageModel),
});

const elements = (module: Pick<Projector, "parameters">): number =>
  module.parameters().reduce((sum, parameter) => sum + parameter.elements, 0);

/** Numbers that adapters of a recipe hold. */
export const adapterWeights = (
  { linears, text }: Pick<ModelSizes, "linears" | "text">,
  { rank, targets, decomposed }: NonNullable<Recipe["lora"]>,
): number =>
  targets.reduce((sum, name) => {
    const [out, width] = linears.get(name) ?? [0, 0];
    return sum + (rank * (out + width) + (decomposed ? out : 0)) * text.numLayers;
  }, 0);
