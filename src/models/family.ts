import type { GgufDialect, GgufHeader, GgufValue, Naming } from "../checkpoint/index.ts";
import type { JsonObject } from "../files/index.ts";
import type { TemplateName } from "../processing/conversation/index.ts";
import type { AspectMode, FeatureGrid, ImageProcessorConfig } from "../processing/image/index.ts";
import type { FieldCoverage } from "./config-coverage.ts";
import type { LanguageModel, LanguageModelConfig } from "./language-model.ts";
import type { FeatureSelection, VisionConfig, VisionTower } from "./vision-tower.ts";

/** What one `model_type` of Hugging Face is to LLaVA. */
export interface LanguageModelType {
  /** As people call it. */
  readonly title: string;
  /** The original code's LLaVA around it: its own `model_type` and the name of its class. */
  readonly original: { readonly modelType: string; readonly architecture: string };
  /** Its `general.architecture` in GGUF files, where those can hold it. */
  readonly ggufArchitecture?: string;
  /** What LLaVAs around it were trained with, where that is one for all. */
  readonly template?: TemplateName;
  /** @throws LlavaError "config" naming the field */
  parseConfig(json: unknown, where: string): LanguageModelConfig;
}

/** What a GGUF file says of a part of a model, besides its weights. */
export interface GgufDescription {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Tensors that settings are made of, by their stored names. */
  readonly vectors: ReadonlyMap<string, readonly number[]>;
}

/** Language models that one class computes. */
export interface LanguageModelFamily {
  /** As its configurations say. */
  readonly name: string;
  readonly types: Readonly<Record<string, LanguageModelType>>;
  /** config.json of those that recipes name, by hub name: they can be planned where the models are not. */
  readonly published: Readonly<Record<string, JsonObject>>;
  /** Fields of config.json. */
  readonly fields: FieldCoverage;
  /** Most positions that a sequence may have. */
  contextLength(config: LanguageModelConfig): number;
  /** Most positions before a linear factor divides them; `contextLength` without it. */
  trainedLength?(config: LanguageModelConfig): number;
  /** The sizes of config.json, for files that rely on defaults. */
  fieldsOf(config: LanguageModelConfig): JsonObject;
  /** The model without weights. */
  build(config: LanguageModelConfig): LanguageModel;
  readonly gguf?: {
    /** Of `general.architecture`. */
    readonly architectures: readonly string[];
    readonly dialect: GgufDialect;
    /** @param path of the file, in which vectors are read */
    parseConfig(header: GgufHeader, path: string): LanguageModelConfig;
    /** @throws LlavaError "usage" for what the architecture does not compute */
    describe(config: LanguageModelConfig, architecture: string): GgufDescription;
    /** config.json of a decoder of which only a file tells. */
    fieldsOf(config: LanguageModelConfig, architecture: string): JsonObject;
  };
}

/** Vision towers that one class computes. */
export interface VisionTowerFamily {
  /** As its configurations say. */
  readonly name: string;
  /** Hugging Face's `model_type` of the tower, and of a whole model with it under `vision_config`. */
  readonly modelTypes: readonly [tower: string, whole: string];
  /** Hugging Face's class of the tower alone. */
  readonly architecture: string;
  /** Those that original checkpoints name without describing them, by hub name. */
  readonly published: Readonly<Record<string, VisionConfig>>;
  /** What files of a whole model hold beside the tower. */
  readonly besides: readonly RegExp[];
  /** Fields of config.json. */
  readonly fields: FieldCoverage;
  /** Whether a row of its features is of the whole tile and not of a patch, which "patch" leaves out. */
  readonly hasClassToken: boolean;
  /** The hidden state that the original code takes, where it is one for all its checkpoints. */
  readonly originalLayer?: number;
  /** @throws LlavaError "config" naming the field */
  parseConfig(json: unknown, where: string): VisionConfig;
  /** The features of a tile. */
  gridOf(config: VisionConfig, selectStrategy: FeatureSelection["selectStrategy"]): FeatureGrid;
  /** How images are made ready for a tower that looks at `side` pixels, where no file says. */
  imageConfig(side: number, aspect: AspectMode): ImageProcessorConfig;
  /** config.json of the tower alone. */
  fieldsOf(config: VisionConfig): JsonObject;
  readonly gguf?: {
    /** Stored names and those of the tower's own module. */
    readonly names: Naming;
    /** Whether a file (`mmproj`) holds such a tower. */
    isIn(header: GgufHeader): boolean;
    parseConfig(header: GgufHeader, path: string): VisionConfig;
    /** All of it but the number of layers, which depends on those that are run. */
    describe(config: VisionConfig): GgufDescription["metadata"];
    /** What those who use such a file should know of its readers. */
    readonly notes?: readonly string[];
  };
  /** The tower without weights. */
  build(config: VisionConfig, selection: FeatureSelection): VisionTower;
}
