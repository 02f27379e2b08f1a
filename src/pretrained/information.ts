import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readGgufHeader } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { type JsonObject, readJsonObject } from "../files/index.ts";
import {
  configFromGguf,
  contextLengthOf,
  type LanguageModelConfig,
  type LlavaConfig,
  languageTitle,
  parseTextConfig,
  parseVisionConfig,
} from "../models/index.ts";
import { type ImageSize, tokensOf } from "../processing/image/index.ts";
import type { Processor } from "../processing/processor/index.ts";
import type { ResolvedModel } from "../setup/index.ts";
import { isAdapter, readAdapterConfig } from "./adapter-files.ts";
import { isNamedDelta } from "./delta.ts";
import { describeWithoutWeights } from "./load.ts";
import { isProjectorFolder } from "./projector-file.ts";

/** What files are, before any weight is read. */
export interface ModelFacts {
  readonly kind: ModelKind;
  /** How the files are laid out, where they are a whole LLaVA's. */
  readonly layout?: "hf" | "original" | "gguf";
  /** The model that a part belongs to, as its own files name it. */
  readonly base?: string;
  readonly language?: LanguageFacts;
  readonly vision?: VisionFacts;
  readonly projector?: { readonly type: string; readonly layers: number };
  readonly images?: ImageFacts;
  readonly adapter?: {
    readonly rank: number;
    readonly alpha: number;
    readonly targets: readonly string[] | string;
  };
  /** Name of the conversation template. */
  readonly template?: string;
  /** What could not be told, and why: what is said of the rest holds. */
  readonly unknown: readonly string[];
}

type ModelKind =
  | "whole model"
  | "built-in model"
  | "language model"
  | "vision tower"
  | "adapter"
  | "projector"
  | "delta of a model"
  | "weights";

interface LanguageFacts
  extends Pick<
    LanguageModelConfig,
    "family" | "numLayers" | "hiddenSize" | "numHeads" | "numKeyValueHeads" | "headDim" | "vocabSize"
  > {
  /** What people call it: "Qwen2"; its family where nothing says more. */
  readonly title: string;
  readonly tied: boolean;
  readonly contextLength: number;
  /** "default" where frequencies are not scaled. */
  readonly rope: string;
}

interface VisionFacts {
  readonly family: string;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly numLayers: number;
  readonly hiddenSize: number;
  /** Hidden states that are taken; negative from the end. */
  readonly featureLayers?: readonly number[];
  readonly grid?: string;
  /** Folder or hub name, where its weights are not in the checkpoint. */
  readonly from?: string;
}

interface ImageFacts {
  readonly aspect: string;
  /** Width and height of each canvas. */
  readonly pinpoints?: readonly (readonly [width: number, height: number])[];
  readonly merge?: string;
  readonly mostTiles?: number;
  /** Tokens of an image by its size. */
  readonly tokens: Readonly<Record<string, number>>;
}

const EXAMPLES: readonly ImageSize[] = [
  { width: 336, height: 336 },
  { width: 640, height: 480 },
  { width: 1920, height: 1080 },
];

/** Tells of a model, or a part of one, by its small files and the tables of its tensors. Nothing is fetched. */
export async function modelFacts(resolved: ResolvedModel): Promise<ModelFacts> {
  if (resolved.kind === "builtin") return { kind: "built-in model", ...(await wholeFacts(resolved, {})) };
  const { path: folder, gguf } = resolved;
  const json = existsSync(join(folder, "config.json")) ? readJsonObject(join(folder, "config.json")) : {};
  if (isAdapter(folder)) return adapterFacts(folder);
  if (gguf === undefined && isProjectorFolder(folder)) {
    const base = json["_name_or_path"];
    return {
      kind: "projector",
      ...(typeof base === "string" && base !== "" && { base }),
      unknown: ["everything but the projector is its base model's"],
    };
  }
  const alone = gguf === undefined ? describedAlone(folder, json) : undefined;
  if (alone !== undefined) return alone;
  const facts = await wholeFacts(resolved, json);
  const isPair = facts.language !== undefined && !("model_type" in json);
  const text = isPair ? undefined : ggufText(folder, gguf);
  if (facts.language === undefined && text !== undefined) return text;
  const isDelta = isNamedDelta(folder, json["_name_or_path"]);
  if (facts.language === undefined && !("model_type" in json))
    return { kind: "weights", unknown: facts.unknown };
  const layout = isPair ? "gguf" : "mm_vision_tower" in json ? "original" : "hf";
  return { kind: isDelta ? "delta of a model" : "whole model", layout, ...facts };
}

/** A language model or a vision tower in Hugging Face's layout. */
function describedAlone(folder: string, json: JsonObject): ModelFacts | undefined {
  if (
    !("model_type" in json) ||
    "mm_vision_tower" in json ||
    ("text_config" in json && "image_token_index" in json)
  )
    return undefined;
  const where = join(folder, "config.json");
  const attempts = [
    (): ModelFacts => ({
      kind: "language model",
      language: languageFacts(parseTextConfig(json, where), languageTitle(json)),
      unknown: [],
    }),
    (): ModelFacts => ({
      kind: "vision tower",
      vision: visionFacts(parseVisionConfig(json, where)),
      unknown: [],
    }),
  ];
  for (const attempt of attempts) {
    const facts = orWhy(attempt);
    if (typeof facts !== "string") return facts;
  }
  return undefined;
}

async function wholeFacts(
  resolved: ResolvedModel,
  json: JsonObject,
): Promise<Omit<ModelFacts, "kind" | "layout">> {
  try {
    const { processor, config } = await describeWithoutWeights(resolved);
    return {
      ...(config && {
        language: languageFacts(config.text, languageTitle(json)),
        vision: {
          ...visionFacts(config.vision),
          featureLayers: config.featureLayers,
          grid: `${config.grid.rows}×${config.grid.columns}${config.grid.extra > 0 ? " and the class token" : ""}`,
          ...(config.visionTower !== undefined && { from: config.visionTower }),
        },
        projector: { type: config.projector.type, layers: config.projector.depth },
      }),
      images: imageFacts(processor),
      template: processor.promptFormat.name,
      unknown: [],
    };
  } catch (error) {
    if (error instanceof LlavaError) return { unknown: [error.message] };
    throw error;
  }
}

function imageFacts(processor: Processor): ImageFacts {
  const { tiling, aspect } = processor.imageConfig;
  const tokens = EXAMPLES.map((size) => [
    `${size.width}×${size.height}`,
    tokensOf(processor.layoutOf(size), processor.grid),
  ]);
  return {
    aspect: tiling ? "anyres" : aspect,
    ...(tiling && {
      pinpoints: tiling.resolutions.map(({ width, height }) => [width, height] as const),
      merge: `${tiling.merge.order}${tiling.merge.overview ? "" : ", without the overview"}`,
      ...(tiling.merge.mostTiles !== undefined && { mostTiles: tiling.merge.mostTiles }),
    }),
    tokens: Object.fromEntries(tokens),
  };
}

function adapterFacts(folder: string): ModelFacts {
  const config = orWhy(() => readAdapterConfig(folder));
  if (typeof config === "string") return { kind: "adapter", unknown: [config] };
  const { rank, alpha, targets, baseModel } = config;
  return {
    kind: "adapter",
    ...(baseModel !== undefined && { base: baseModel }),
    adapter: { rank, alpha, targets },
    unknown: [],
  };
}

/** A language model in a GGUF file that has no eyes beside it. */
function ggufText(folder: string, wanted: string | undefined): ModelFacts | undefined {
  const name = wanted ?? readdirSync(folder).find((file) => /\.gguf$/i.test(file));
  if (name === undefined) return undefined;
  const path = join(folder, name);
  const language = orWhy(() => languageFacts(configFromGguf(readGgufHeader(path), path), undefined));
  if (typeof language === "string") return { kind: "weights", unknown: [language] };
  return { kind: "language model", layout: "gguf", language, unknown: [] };
}

function languageFacts(config: LanguageModelConfig, title: string | undefined): LanguageFacts {
  const { family, numLayers, hiddenSize, numHeads, numKeyValueHeads, headDim, vocabSize } = config;
  const { ropeScaling: scaling } = config as { ropeScaling?: { type: string; factor?: number } };
  return {
    ...{ family, numLayers, hiddenSize, numHeads, numKeyValueHeads, headDim, vocabSize },
    title: title ?? family,
    tied: config.tieWordEmbeddings,
    contextLength: contextLengthOf(config),
    rope: scaling === undefined ? "default" : `${scaling.type}${scaling.factor ? ` ${scaling.factor}` : ""}`,
  };
}

const visionFacts = ({
  family,
  imageSize,
  patchSize,
  numLayers,
  hiddenSize,
}: LlavaConfig["vision"]): VisionFacts => ({
  family,
  imageSize,
  patchSize,
  numLayers,
  hiddenSize,
});

/** The message of a LlavaError instead of the result. */
function orWhy<Result>(make: () => Result): Result | string {
  try {
    return make();
  } catch (error) {
    if (error instanceof LlavaError) return error.message;
    throw error;
  }
}
