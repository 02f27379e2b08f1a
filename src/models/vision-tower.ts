import { freeing, type Module, type SegmentRunner, type SegmentsRunner } from "../nn/index.ts";
import type { FeatureGrid } from "../processing/image/index.ts";
import { cat, type Tensor } from "../torch/index.ts";

/** What the configurations of all families say. */
export interface VisionConfig {
  readonly family: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  /** Side of the square input image, pixels. */
  readonly imageSize: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
}

/** Which of a tower's features the projector takes. */
export interface FeatureSelection {
  /** Indices into the hidden states, whose first is the embeddings; negative from the end; several are concatenated. */
  readonly featureLayers: readonly number[];
  /** "patch" drops the class token; a tower without one is "full". */
  readonly selectStrategy: "patch" | "full";
}

export interface TowerOptions {
  /** Calls the layers, each a segment (see `ActivationCheckpoints`); by default each frees what it does not give. */
  readonly runLayer?: SegmentRunner | undefined;
  /** Calls each of a tower's `layers` instead, on all tiles, so many of them at once, before the next. */
  readonly runEach?: SegmentsRunner | undefined;
  readonly tilesAtOnce?: number;
}

/** What a tower computes in one piece, from its pixel values or from what an earlier segment gave. */
interface TowerSegment {
  readonly run: (input: Tensor) => Tensor;
  readonly input: Tensor;
  /** Whose weights it needs, of a tower that tells its `layers` apart. */
  readonly layer?: Module;
}

/** A forward pass that stops before each segment, goes on with what that gave, and returns the features [N, tokens, C]. */
export type SegmentedForward = Generator<TowerSegment, Tensor, Tensor>;

/** Turns images into rows of features for the projector. */
export interface VisionTower extends Module {
  /** Width of a feature row. */
  readonly hiddenSize: number;
  /** Feature rows of a tile. */
  readonly grid: FeatureGrid;
  /** Tiles that it sees fastest at once, where that is few: what more of them compute on the way is new memory at each step. */
  readonly tilesAtOnce?: number | undefined;
  /** What all tiles go through one after another and most of its weights are in, where it can be told apart. */
  readonly layers?: readonly Module[];
  /** Paths of tensors that files may hold and the tower has no place for. */
  readonly unused: readonly RegExp[];
  /** The tower in two steps, where it brings its features to statistics of training images. */
  readonly standardized?: StandardizedTower;
  /** pixel values [N, 3, H, W] of N tiles → [N, tokens, hiddenSize] */
  forward(pixelValues: Tensor, options?: TowerOptions): Tensor;
  /** The same, for who has other things to do between segments. */
  segments(pixelValues: Tensor): SegmentedForward;
}

/** A tower's forward pass, from that over its segments. */
export function throughSegments(
  segments: VisionTower["segments"],
  pixelValues: Tensor,
  { runLayer = freeing, runEach, tilesAtOnce }: TowerOptions = {},
): Tensor {
  const through: SegmentsRunner =
    runEach ?? ((segment, inputs) => inputs.map((input) => runLayer(segment, input)));
  const passes = pixelValues.split(sizesOf(pixelValues.size(0), tilesAtOnce)).map(segments);
  let reached = passes.map((pass) => pass.next());
  while (!reached[0]!.done) {
    const turns = reached.map(({ value }) => value as TowerSegment);
    const { run, layer } = turns[0]!;
    const inputs = turns.map(({ input }) => input);
    const outputs = through(run, inputs, layer);
    reached = passes.map((pass, turn) => pass.next(outputs[turn]!));
  }
  const features = reached.map(({ value }) => value as Tensor);
  return features.length === 1 ? features[0]! : cat(features);
}

/** Of turns of so many of all, the last of which may have fewer. */
const sizesOf = (all: number, most = all): number[] =>
  Array.from({ length: Math.ceil(all / most) }, (_, turn) => Math.min(most, all - turn * most));

/** A tower whose features are worth keeping before they are standardised: the statistics may change with the data. */
export interface StandardizedTower {
  /** What computes the features. */
  readonly tower: VisionTower;
  /** Means and deviations of the channels, [hiddenSize], by their names in the tower. */
  readonly statistics: { readonly feature_mean: Tensor; readonly feature_std: Tensor };
  /** pixel values [N, 3, H, W] → [N, tokens, hiddenSize], as they are measured */
  extract(pixelValues: Tensor): Tensor;
  /** [N, tokens, hiddenSize], as the projector takes them */
  standardize(features: Tensor): Tensor;
}
