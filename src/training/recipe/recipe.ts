import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { describeIssues } from "../../files/index.ts";
import { anyResSchema, transparencies } from "../../processing/image/index.ts";
import { videoSchema } from "../../processing/video/index.ts";
import { devicePattern } from "../../setup/index.ts";
import { objectiveSchema, requirePreferences } from "./objective-schema.ts";
import { applyOverrides, type Override, requireKnownFields } from "./overrides.ts";

const count = z.int().min(1);
/** In the order of the figure. */
export const trainableParts = ["visionTower", "projector", "languageModel"] as const;
export type TrainablePart = (typeof trainableParts)[number];
const filled = z.string({ error: "is needed: give it on the command line" }).min(1);

/** The layers of a language model that get adapters where nothing is said. */
export const usualTargets = [
  "q_proj",
  "k_proj",
  "v_proj",
  "o_proj",
  "gate_proj",
  "up_proj",
  "down_proj",
] as const;

const recipeSchema = z.strictObject({
  /** Built-in name, folder or hub name of the model that is started from. */
  model: z.string(),
  /** Folder or hub name of the model that `model` belongs to, where that is an adapter or the projector of a first stage. */
  base: z.string().min(1).optional(),
  /** Folder or hub name of the vision tower of a checkpoint in the original layout, instead of the one that it names. */
  visionTower: z.string().min(1).optional(),
  /** What a bare language model is given to see with; `model` is that language model. */
  vision: z
    .strictObject({
      /** Folder or hub name of a CLIP model. */
      tower: z.string().min(1),
      projector: z
        .string()
        .regex(/^(?:linear|mlp[1-9]\d*x_gelu)$/)
        .default("mlp2x_gelu"),
      /** Which of the tower's hidden states are the features; negative from the end. */
      featureLayer: z.int().default(-2),
      /** "pad": images are padded to squares; "square": resized and cropped. */
      imageAspectRatio: z.enum(["pad", "square"]).default("pad"),
    })
    .optional(),
  /** Images are cut into tiles (AnyRes of LLaVA-NeXT), whatever the model did before. */
  anyres: anyResSchema.optional(),
  /** How videos are seen, whatever the model did before; a whole model keeps it. */
  video: videoSchema.optional(),
  /** Rows and columns that a built-in model's image features are averaged to; its own number when left out. */
  tokensPerSide: count.optional(),
  /** What the projector starts from: "fresh" random weights, those the model was "loaded" with, or a file or folder that has them: a run's, or `mm_projector.bin` of the original code. */
  projector: z.string().min(1).default("fresh"),
  /** The parts that learn as a whole; all others are frozen. It may be empty beside adapters. */
  train: z.array(z.enum(trainableParts)).default(["projector"]),
  /** Adapters that learn in place of the language model's own weights (arXiv 2106.09685). */
  lora: z
    .strictObject({
      rank: count,
      alpha: z.number().positive(),
      /** Also of an adapter that is gone on from, whatever it was trained with before. */
      dropout: z.number().min(0).lt(1).default(0),
      /** Scale by alpha / √rank in place of alpha / rank (rsLoRA, arXiv 2312.03732). */
      rankStabilized: z.boolean().optional(),
      /** Learn the length of each row of a matrix apart from its direction (DoRA, arXiv 2402.09353). */
      decomposed: z.boolean().optional(),
      /** Names of the linear layers that get one; an adapter that is gone on from has its own. */
      targets: z
        .array(z.string())
        .min(1)
        .default([...usualTargets]),
      /** Folder of an adapter to go on from; where the projector is "loaded", with the adapter's own if it has one. */
      start: z.string().min(1).optional(),
    })
    .optional(),
  /**
   * Keeps the matrices of the language model's layers, which are then not trained themselves, in few bits: "int8" with a scale
   * for each output; "int4" in GGUF's blocks of 4.5 bits a weight (as QLoRA, arXiv 2305.14314, has its base), on the CPU.
   */
  frozenWeights: z.enum(["int8", "int4"]).optional(),
  /**
   * What is minimised: "supervised" is the likelihood of the rows' answers, and meant where nothing is said; "preference" makes
   * the better answers of pairs likelier than the worse ones, against the model that is started from.
   */
  objective: objectiveSchema.optional(),
  data: z.strictObject({
    /**
     * LLaVA rows as JSON or JSON lines, shards (.tar, .parquet) that stream by with their images, several of either in
     * {braces}, or a mixture in YAML.
     */
    rows: filled,
    /** Folder that the rows' names of images and videos are relative to; not needed where images come with the rows. */
    images: z.string().default(""),
    /**
     * What transparent pixels of images show: "drop" the colours that lie under them, "white" white; the model's own setting
     * when left out, which is "drop" unless it was trained otherwise. A whole model keeps it.
     */
    transparency: z.enum(transparencies).optional(),
    /** Name of a conversation template; the model's own when left out. "plain": the bare image, then the answer. */
    template: z.string().optional(),
    /** What ends an answer in place of the template's own ending: a special token of the model, or text such as a newline. */
    answerEnd: z.string().min(1).optional(),
    /** Rows about one image that share its tokens in a step; the number of rows in it stays `batchSize`. */
    rowsPerImage: count.default(1),
    /** Whether half of the images, drawn anew each epoch, are seen mirrored. */
    flips: z.boolean().default(false),
    /** Longest row, tokens with those of its images and videos. */
    maxTokens: count.default(2048),
    /** "modality": the rows of a step all have images or all have none; "length": those of micro-batches are about equally long. */
    grouping: z.enum(["none", "length", "modality"]).default("none"),
    /**
     * How rows with videos come beside others (the three ways that LLaVA-NeXT-Video was compared in): "only" they are learnt from,
     * by a model that is finished with images; "separated", in steps of their own; "mixed", in steps with others.
     */
    videos: z.enum(["mixed", "separated", "only"]).default("mixed"),
    /** "datasets": an epoch draws equally many rows of each file of a mixture, whatever their sizes; "rows": each row once. */
    mixing: z.enum(["rows", "datasets"]).default("rows"),
    /** Threads beside the training's own that decode and resize images and tokenize rows; the batches are the same for any number. */
    workers: z.int().min(0).default(0),
    /** Rows of shards that wait in memory, with their encoded images, to be drawn from at random. */
    shuffleBuffer: count.default(1000),
    /** Whether answers may hold what the template marks turns with, such as "</s>"; "keep" trains it as ordinary text. */
    turnMarks: z.enum(["refuse", "keep"]).default("refuse"),
    /** What becomes of a row that cannot be used. */
    onBadRow: z.enum(["error", "skip"]).default("error"),
    /** What becomes of a row that is too long: "truncate" takes turns off its end. */
    onLongRow: z.enum(["error", "skip", "truncate"]).default("error"),
  }),
  evaluation: z
    .strictObject({
      rows: filled,
      images: filled,
      /** The first so many images of the rows. */
      count: count.default(100),
      /** Rows of each. */
      rowsPerImage: count.default(1),
      /** Steps between evaluations; there is one at the start and one at the end as well. */
      every: count.default(100),
    })
    .optional(),
  features: z
    .strictObject({
      /** Folder for the frozen tower's features; empty: they are computed again in every step. */
      cache: z.string().default(""),
      dtype: z.enum(["float32", "bfloat16"]).default("bfloat16"),
      /** Images that the tower takes at once, or tiles of images that are cut. */
      batchSize: count.default(16),
      /** The same for a tower that learns, 64 when left out. Fewer take less memory; what is learned stays the same. */
      tilesAtOnce: count.optional(),
    })
    .prefault({}),
  optimizer: z.strictObject({
    learningRate: z.number().positive(),
    /** Of the projector, where it differs. */
    projectorLearningRate: z.number().positive().optional(),
    /** Of the vision tower, where it differs. */
    visionTowerLearningRate: z.number().positive().optional(),
    betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
    epsilon: z.number().positive().default(1e-8),
    weightDecay: z.number().min(0).default(0),
  }),
  schedule: z
    .strictObject({
      type: z.enum(["cosine", "linear", "constant"]).default("cosine"),
      /** Part of all steps in which the rate rises from 0. */
      warmupRatio: z.number().min(0).max(1).default(0.03),
    })
    .prefault({}),
  /** Rows in a step, over all its micro-batches. */
  batchSize: count,
  /** Micro-batches that a step is computed in. */
  accumulation: count.default(1),
  /** Rows that a micro-batch is packed into: fewer waste less on padding, more waste less on attention. */
  packedRows: count.default(1),
  epochs: z.number().positive().default(1),
  /** Ends the run, and the schedule, earlier than `epochs` would. */
  maxSteps: count.optional(),
  maxGradientNorm: z.number().positive().default(1),
  /** Whether activations of the language model's layers, and of a tower's that learns, are computed again in the backward pass, to save memory. */
  activationCheckpointing: z.boolean().default(false),
  /**
   * What each of several processes that train together has a part of only (ZeRO): "states" the moments, gradients and masters
   * of what learns; "weights" also the weights of the language model and of what learns, gathered layer by layer, and
   * activations are computed again then. Left out: each has all. It changes neither rows nor losses.
   */
  sharding: z.enum(["none", "states", "weights"]).optional(),
  /**
   * Processes that have a copy of what is sharded between them (HSDP): so many that follow each other, or those of a "machine";
   * all when left out. Within a group weights are gathered and gradients summed up, across groups each part's sum once a step.
   */
  shardingGroup: z.union([z.literal("machine"), count]).optional(),
  /** What becomes of a step that would do harm. A step left out changes no weight, and is counted and logged. */
  guards: z
    .strictObject({
      /** Of one whose loss or gradient is not finite. */
      nonFinite: z.enum(["stop", "skip"]).default("stop"),
      /** Times the median loss of the steps before it above which a loss is a spike; none is when left out. */
      lossSpike: z.number().gt(1).optional(),
      /** The same for the gradient's norm before clipping. */
      gradientSpike: z.number().gt(1).optional(),
      /** Of a spike. */
      onSpike: z.enum(["stop", "skip"]).default("skip"),
      /** Steps left out one after another that end the run. */
      maxSkips: count.default(10),
    })
    .prefault({}),
  /**
   * What is computed in, and what frozen weights are kept in; what is trained stays in float32. "auto": what the device is
   * fastest in, chosen when a run begins and kept by it.
   */
  dtype: z.enum(["auto", "float32", "bfloat16"]).default("auto"),
  device: z.string().regex(devicePattern, "expected cpu, cuda or cuda:N").default("cpu"),
  seed: z.int().min(0).default(0),
  checkpoint: z
    .strictObject({
      every: count.default(500),
      /** The newest that are kept. */
      keep: count.default(2),
      /** Kept besides: those with the lowest held-out loss, where a step was both saved and evaluated. */
      keepBest: z.int().min(0).default(1),
    })
    .prefault({}),
  /** Folder of the run: checkpoints, log and result. */
  output: filled,
});

/** Everything that decides the result of a run. */
export type Recipe = z.output<typeof recipeSchema>;
type Input = z.input<typeof recipeSchema>;

/** A recipe as its file writes it: paths may be left to the command line. */
export type RecipeFields = Omit<Input, "data" | "evaluation" | "output"> & {
  readonly data: Omit<Input["data"], "rows" | "images"> & {
    readonly rows?: string;
    readonly images?: string;
  };
  readonly evaluation?: Partial<NonNullable<Input["evaluation"]>>;
  readonly output?: string;
};

/** States a recipe, for the type checker. */
export const recipe = <const F extends RecipeFields>(fields: F): F => fields;

/** What a recipe minimises; records of runs leave the default out, as they did when there was no other. */
export const objectiveOf = ({ objective }: Pick<Recipe, "objective">): NonNullable<Recipe["objective"]> =>
  objective ?? { type: "supervised" };

/**
 * Applies overrides such as `optimizer.learningRate=1e-3` and fills in defaults.
 * @throws LlavaError "config" naming a field that is unknown (and the nearest known one), missing or wrong
 */
export function resolveRecipe(fields: RecipeFields, overrides: readonly Override[] = []): Recipe {
  requireKnownFields(recipeSchema, fields);
  const parsed = recipeSchema.safeParse(applyOverrides(recipeSchema, fields, overrides));
  if (parsed.success) {
    requireSomethingToTrain(parsed.data);
    requireSharded(parsed.data);
    requirePreferences(parsed.data);
    return parsed.data;
  }
  throw new LlavaError("config", `the recipe does not hold together: ${describeIssues(parsed.error)}`, {
    hint: "Any field can be given as --path.of.field value; --dry-run shows the whole recipe.",
  });
}

/** How what learns is kept on several processes. */
export const shardingOf = ({ sharding = "none" }: Pick<Recipe, "sharding">): "none" | "states" | "weights" =>
  sharding;

function requireSharded(recipe: Recipe): void {
  if (recipe.shardingGroup === undefined || shardingOf(recipe) !== "none") return;
  throw new LlavaError("config", `shardingGroup is ${recipe.shardingGroup}, but nothing is sharded`, {
    hint: 'Set sharding to "states" or "weights", or leave shardingGroup out.',
  });
}

function requireSomethingToTrain({ train, lora, frozenWeights }: Recipe): void {
  if (train.length === 0 && !lora)
    throw new LlavaError("config", "the recipe trains nothing: train is empty, and there is no lora", {
      hint: `Name parts in train: ${trainableParts.join(", ")}.`,
    });
  if (!train.includes("languageModel") || !(lora || frozenWeights)) return;
  throw new LlavaError(
    "config",
    lora
      ? "the recipe trains the language model both whole and by adapters"
      : `frozenWeights is "${frozenWeights}", but the recipe trains the language model`,
    { hint: `Leave out ${lora ? "lora" : "frozenWeights"}, or "languageModel" in train.` },
  );
}
