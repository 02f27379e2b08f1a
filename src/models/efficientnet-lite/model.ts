import { Module, placeholder } from "../../nn/index.ts";
import type { FeatureGrid } from "../../processing/image/index.ts";
import { aten, type Tensor } from "../../torch/index.ts";
import {
  type SegmentedForward,
  type TowerOptions,
  throughSegments,
  type VisionTower,
} from "../vision-tower.ts";

const BATCH_NORM_EPSILON = 1e-3;
const STEM_WIDTH = 32;
const HEAD_WIDTH = 1280;
const EXPANSION = 6;
/** c10::MemoryFormat::ChannelsLast */
const CHANNELS_LAST = 2;

/** Input side in pixels, width and depth multipliers. */
const variants = {
  lite0: { imageSize: 224, width: 1.0, depth: 1.0 },
  lite1: { imageSize: 240, width: 1.0, depth: 1.1 },
  lite2: { imageSize: 260, width: 1.1, depth: 1.2 },
  lite3: { imageSize: 280, width: 1.2, depth: 1.4 },
  lite4: { imageSize: 300, width: 1.4, depth: 1.8 },
} as const;

export type EfficientNetLiteVariant = keyof typeof variants;
export const efficientNetLiteVariants = Object.keys(variants) as EfficientNetLiteVariant[];

/** Kernel, stride of the first block, expansion, output width, blocks: EfficientNet-B0's table (arXiv 1905.11946). */
const stages = [
  { kernel: 3, stride: 1, expansion: 1, width: 16, blocks: 1 },
  { kernel: 3, stride: 2, expansion: EXPANSION, width: 24, blocks: 2 },
  { kernel: 5, stride: 2, expansion: EXPANSION, width: 40, blocks: 2 },
  { kernel: 3, stride: 2, expansion: EXPANSION, width: 80, blocks: 3 },
  { kernel: 5, stride: 1, expansion: EXPANSION, width: 112, blocks: 3 },
  { kernel: 5, stride: 2, expansion: EXPANSION, width: 192, blocks: 4 },
  { kernel: 3, stride: 1, expansion: EXPANSION, width: 320, blocks: 1 },
] as const;

/** Channels are multiples of 8, and never fall by more than a tenth in rounding. */
function roundWidth(width: number): number {
  const rounded = Math.max(8, Math.floor((width + 4) / 8) * 8);
  return rounded < 0.9 * width ? rounded + 8 : rounded;
}

/** Convolution with TensorFlow's SAME padding (the odd pixel goes to the right and bottom), then batch norm. */
class NormalizedConvolution extends Module {
  readonly weight: Tensor; // [out, in / groups, k, k]
  readonly #stride: number;
  readonly #groups: number;
  readonly #norm: BatchNorm;

  constructor(
    inWidth: number,
    outWidth: number,
    options: { kernel: number; stride?: number; groups?: number; norm: BatchNorm },
  ) {
    super();
    const { kernel, stride = 1, groups = 1 } = options;
    this.weight = placeholder([outWidth, inWidth / groups, kernel, kernel]);
    this.#stride = stride;
    this.#groups = groups;
    this.#norm = options.norm;
  }

  forward(input: Tensor): Tensor {
    const kernel = this.weight.size(-1);
    const [rows, columns] = [input.size(2), input.size(3)].map((size) => {
      const total = Math.max((Math.ceil(size / this.#stride) - 1) * this.#stride + kernel - size, 0);
      return [Math.floor(total / 2), Math.ceil(total / 2)] as const;
    }) as [readonly [number, number], readonly [number, number]];
    const stride = [this.#stride, this.#stride];
    const symmetric = rows[0] === rows[1] && columns[0] === columns[1];
    const padded = symmetric ? input : aten.constantPad(input, [...columns, ...rows]);
    const padding = symmetric ? [rows[0], columns[0]] : [0, 0];
    const output = aten.conv2d(
      padded,
      this.weight.to(input.dtype),
      undefined,
      stride,
      padding,
      [1, 1],
      this.#groups,
    );
    return this.#norm.forward(output);
  }
}

/** Batch norm with the statistics of training, which are frozen here. */
class BatchNorm extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly runningMean: Tensor;
  readonly runningVar: Tensor;

  constructor(width: number) {
    super();
    this.weight = placeholder([width]);
    this.bias = placeholder([width]);
    this.runningMean = placeholder([width]);
    this.runningVar = placeholder([width]);
  }

  forward(input: Tensor): Tensor {
    const { weight, bias, runningMean, runningVar } = this;
    return aten.batchNorm(input, weight, bias, runningMean, runningVar, false, 0, BATCH_NORM_EPSILON, false);
  }
}

const relu6 = (x: Tensor): Tensor => aten.hardtanh(x, 0, 6);

/** Inverted bottleneck: expand, filter each channel, project; no squeeze-and-excitation in the lite family. */
class MobileBlock extends Module {
  protected override readonly keys = {
    expandConv: "_expand_conv",
    bn0: "_bn0",
    depthwiseConv: "_depthwise_conv",
    bn1: "_bn1",
    projectConv: "_project_conv",
    bn2: "_bn2",
  };
  readonly expandConv?: NormalizedConvolution;
  readonly bn0?: BatchNorm;
  readonly depthwiseConv: NormalizedConvolution;
  readonly bn1: BatchNorm;
  readonly projectConv: NormalizedConvolution;
  readonly bn2: BatchNorm;
  readonly #residual: boolean;

  constructor(
    inWidth: number,
    outWidth: number,
    options: { kernel: number; stride: number; expansion: number },
  ) {
    super();
    const { kernel, stride, expansion } = options;
    const middle = inWidth * expansion;
    if (expansion > 1) {
      this.bn0 = new BatchNorm(middle);
      this.expandConv = new NormalizedConvolution(inWidth, middle, { kernel: 1, norm: this.bn0 });
    }
    this.bn1 = new BatchNorm(middle);
    this.depthwiseConv = new NormalizedConvolution(middle, middle, {
      kernel,
      stride,
      groups: middle,
      norm: this.bn1,
    });
    this.bn2 = new BatchNorm(outWidth);
    this.projectConv = new NormalizedConvolution(middle, outWidth, { kernel: 1, norm: this.bn2 });
    this.#residual = stride === 1 && inWidth === outWidth;
  }

  forward(input: Tensor): Tensor {
    const expanded = this.expandConv === undefined ? input : relu6(this.expandConv.forward(input));
    const output = this.projectConv.forward(relu6(this.depthwiseConv.forward(expanded)));
    return this.#residual ? output.add(input) : output;
  }
}

/** EfficientNet-lite as a vision tower: the grid of features before the classifier's pooling. */
export class EfficientNetLite extends Module implements VisionTower {
  protected override readonly keys = {
    convStem: "_conv_stem",
    bn0: "_bn0",
    blocks: "_blocks",
    convHead: "_conv_head",
    bn1: "_bn1",
  };
  readonly convStem: NormalizedConvolution;
  readonly bn0: BatchNorm;
  readonly blocks: readonly MobileBlock[];
  readonly convHead: NormalizedConvolution;
  readonly bn1: BatchNorm;
  readonly #imageSize: number;

  constructor(variant: EfficientNetLiteVariant) {
    super();
    const { imageSize, width, depth } = variants[variant];
    this.#imageSize = imageSize;
    this.bn0 = new BatchNorm(STEM_WIDTH);
    this.convStem = new NormalizedConvolution(3, STEM_WIDTH, { kernel: 3, stride: 2, norm: this.bn0 });
    const blocks: MobileBlock[] = [];
    let inWidth = STEM_WIDTH;
    for (const [i, stage] of stages.entries()) {
      const outWidth = roundWidth(stage.width * width);
      const edge = i === 0 || i === stages.length - 1; // the lite family keeps these stages' depth
      const count = edge ? stage.blocks : Math.ceil(stage.blocks * depth);
      for (let block = 0; block < count; block++) {
        blocks.push(new MobileBlock(inWidth, outWidth, { ...stage, stride: block === 0 ? stage.stride : 1 }));
        inWidth = outWidth;
      }
    }
    this.blocks = blocks;
    this.bn1 = new BatchNorm(HEAD_WIDTH);
    this.convHead = new NormalizedConvolution(inWidth, HEAD_WIDTH, { kernel: 1, norm: this.bn1 });
  }

  get imageSize(): number {
    return this.#imageSize;
  }
  get hiddenSize(): number {
    return HEAD_WIDTH;
  }
  get grid(): FeatureGrid {
    const side = Math.ceil(this.#imageSize / 32);
    return { rows: side, columns: side, extra: 0 };
  }
  /** Beyond 32 MiB, 4 tiles' widest grid, an allocator gives memory back each time, and clearing new pages takes as long as computing. */
  readonly tilesAtOnce = 4;

  /** The classifier, and counts that only training needs. */
  get unused(): readonly RegExp[] {
    return [/^_fc\./, /^.*num_batches_tracked$/];
  }

  forward(pixelValues: Tensor, options?: TowerOptions): Tensor {
    return throughSegments((tiles) => this.segments(tiles), pixelValues, options);
  }

  *segments(pixelValues: Tensor): SegmentedForward {
    const stem = (pixels: Tensor) => {
      const channelsLast = aten.contiguous(pixels, CHANNELS_LAST); // depthwise kernels are several times faster
      return relu6(this.convStem.forward(channelsLast));
    };
    let grid = yield { run: stem, input: pixelValues };
    // What a block computes on its way is freed behind it: of all blocks together it would be 100 MB an image.
    for (const block of this.blocks) grid = yield { run: (input) => block.forward(input), input: grid };
    return relu6(this.convHead.forward(grid)).flatten(2).transpose(1, 2); // [N, h·w, 1280]
  }
}
