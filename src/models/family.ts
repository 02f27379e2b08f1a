import type { GgufDialect, GgufHeader } from "../checkpoint/index.ts";
import type { JsonObject } from "../files/index.ts";
import type { TemplateName } from "../processing/conversation/index.ts";
import type { FeatureGrid } from "../processing/image/index.ts";
import type { FieldCoverage } from "./config-coverage.ts";
import type { LanguageModel, LanguageModelConfig } from "./language-model.ts";
import type { FeatureSelection, VisionConfig, VisionTower } from "./vision-tower.ts";

/** What one `model_type` of Hugging Face is to LLaVA. */
export interface LanguageModelType {
  /** As people call it. */
  readonly title: string;
  /** The original code's LLaVA around it: its own `model_type` and the name of its class. */
  readonly original: { readonly modelType: string; readonly architecture: string };
  /** What LLaVAs around it were trained with, where that is one for all. */
  readonly template?: TemplateName;
  /** @throws LlavaError "config" naming the field */
  parseConfig(json: unknown, where: string): LanguageModelConfig;
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
    parseConfig(header: GgufHeader, where: string): LanguageModelConfig;
  };
}

/** Vision towers that one class computes. */
export interface VisionTowerFamily {
  /** As its configurations say. */
  readonly name: string;
  /** Hugging Face's `model_type` of the tower, and of a whole model with it under `vision_config`. */
  readonly modelTypes: readonly [tower: string, whole: string];
  /** Those that original checkpoints name without describing them, by hub name. */
  readonly published: Readonly<Record<string, VisionConfig>>;
  /** What files of a whole model hold beside the tower. */
  readonly besides: readonly RegExp[];
  /** Fields of config.json. */
  readonly fields: FieldCoverage;
  /** @throws LlavaError "config" naming the field */
  parseConfig(json: unknown, where: string): VisionConfig;
  /** The features of a tile. */
  gridOf(config: VisionConfig, selectStrategy: FeatureSelection["selectStrategy"]): FeatureGrid;
  /** config.json of the tower alone. */
  fieldsOf(config: VisionConfig): JsonObject;
  /** The tower without weights. */
  build(config: VisionConfig, selection: FeatureSelection): VisionTower;
}
