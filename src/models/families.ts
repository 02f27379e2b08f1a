import type { GgufDialect, GgufHeader } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import type { JsonObject } from "../files/index.ts";
import type { TemplateName } from "../processing/conversation/index.ts";
import type { AspectMode, FeatureGrid, ImageProcessorConfig } from "../processing/image/index.ts";
import { clip } from "./clip/family.ts";
import type { GgufDescription, LanguageModelFamily, LanguageModelType, VisionTowerFamily } from "./family.ts";
import type { LanguageModel, LanguageModelConfig } from "./language-model.ts";
import { llama } from "./llama/family.ts";
import { siglip } from "./siglip/family.ts";
import type { FeatureSelection, VisionConfig, VisionTower } from "./vision-tower.ts";

/** All families of language models: a new one is its folder and a word here. Files that say no type are the first's. */
export const languageModels: readonly [LanguageModelFamily, ...LanguageModelFamily[]] = [llama];

/** All families of vision towers, the same. */
export const visionTowers: readonly [VisionTowerFamily, ...VisionTowerFamily[]] = [clip, siglip];

const types: ReadonlyMap<string, LanguageModelType & { family: LanguageModelFamily }> = new Map(
  languageModels.flatMap((family) =>
    Object.entries(family.types).map(([name, type]) => [name, { ...type, family }]),
  ),
);

const typeNames = [...types.keys()].join(", ");
const [assumedType = ""] = types.keys();

/** The original code's oldest model type, which says nothing of its language model. */
const OLDEST_LLAVA = "llava";

/** The language model behind each model type of the original code. */
const textTypes: ReadonlyMap<string, string> = new Map([
  [OLDEST_LLAVA, assumedType],
  ...Array.from(types, ([name, { original }]) => [original.modelType, name] as const),
]);

export const originalModelTypes = [...textTypes.keys()];

/** The `model_type` of the language model in a checkpoint of the original code. */
export const textTypeOf = (originalType: unknown): string | undefined =>
  typeof originalType === "string" ? textTypes.get(originalType) : undefined;

/** What the original code calls a LLaVA around a language model. @throws LlavaError "config" for one that is not known */
export function originalOf(textType: unknown, where: string): LanguageModelType["original"] {
  const found = typeof textType === "string" ? types.get(textType) : undefined;
  if (found) return found.original;
  const titles = Array.from(types.values(), ({ title }) => title);
  throw new LlavaError("config", `${where}: model_type ${JSON.stringify(textType)}; known are ${typeNames}`, {
    hint: `A language model is the folder of a ${titles.slice(0, -1).join(", ")} or ${titles.at(-1)}; a LLaVA has its own vision tower.`,
  });
}

/** The language model that a config.json names, of LLaVA in either layout. */
function namedType({ model_type: type, text_config: text }: JsonObject): LanguageModelType | undefined {
  const inside = (text as JsonObject | null | undefined)?.["model_type"];
  return types.get(String(inside)) ?? types.get(textTypeOf(type) ?? "");
}

/** The template of a checkpoint that states none, by the language model that its config.json names. */
export const templateOf = (json: JsonObject): TemplateName | undefined => namedType(json)?.template;

/** What people call the language model that a config.json names or is of: "Qwen2". */
export const languageTitle = (json: JsonObject): string | undefined =>
  (namedType(json) ?? types.get(String(json["model_type"])))?.title;

function languageModelType(type: string, where: string) {
  const found = types.get(type);
  if (found) return found;
  throw new LlavaError("config", `${where}: language model type "${type}"; known are ${typeNames}`, {
    hint: "Checkpoints around other language models are not read yet.",
  });
}

const [assumedTower] = visionTowers[0].modelTypes;

const modelType = (json: unknown, assumed: string): string =>
  String((json as { model_type?: unknown } | null)?.model_type ?? assumed);

/**
 * The decoder that a language model's `config.json` describes, or the `text_config` inside one.
 * @throws LlavaError "config" naming the field
 */
export const parseTextConfig = (
  json: unknown,
  where: string,
  type: string = modelType(json, assumedType),
): LanguageModelConfig => languageModelType(type, where).parseConfig(json, where);

/** The fields of such a file that are followed, and those that must not change anything. */
export const textFields = (json: unknown, where: string, type: string = modelType(json, assumedType)) =>
  languageModelType(type, where).family.fields;

function publishedBy<Entry>(families: readonly { readonly published: Readonly<Record<string, Entry>> }[]) {
  return Object.fromEntries(families.flatMap(({ published }) => Object.entries(published))) as Readonly<
    Record<string, Entry>
  >;
}

const familyOf = <Family extends { readonly name: string }>(
  families: readonly Family[],
  { family }: { readonly family: string },
): Family => families.find(({ name }) => name === family)!;

/** Most positions that a sequence may have. */
export const contextLengthOf = (config: LanguageModelConfig): number =>
  familyOf(languageModels, config).contextLength(config);

/** Most positions before a linear factor divides them. */
export function trainedLengthOf(config: LanguageModelConfig): number {
  const family = familyOf(languageModels, config);
  return (family.trainedLength ?? family.contextLength)(config);
}

/** The sizes of a language model's config.json, for files that rely on defaults. */
export const textFieldsOf = (config: LanguageModelConfig): JsonObject =>
  familyOf(languageModels, config).fieldsOf(config);

/** A vision tower's config.json. */
export const visionFieldsOf = (config: VisionConfig): JsonObject =>
  familyOf(visionTowers, config).fieldsOf(config);

/** A language model without weights. */
export const createLanguageModel = (config: LanguageModelConfig): LanguageModel =>
  familyOf(languageModels, config).build(config);

const ggufFamily = (architecture: unknown) =>
  languageModels.find(({ gguf }) => gguf?.architectures.includes(String(architecture)))?.gguf;

/** How an architecture's GGUF files are read (see `openGguf`). */
export const ggufDialect = (architecture: unknown): GgufDialect | undefined =>
  ggufFamily(architecture)?.dialect;

function knownGgufFamily(architecture: unknown, where: string) {
  const family = ggufFamily(architecture);
  if (family) return family;
  const known = languageModels.flatMap(({ gguf }) => gguf?.architectures ?? []).join(", ");
  throw new LlavaError("config", `${where}: GGUF architecture ${String(architecture)}; known are ${known}`);
}

/** The decoder that a GGUF file describes. @throws LlavaError "config" */
export const configFromGguf = (header: GgufHeader, path: string): LanguageModelConfig =>
  knownGgufFamily(header.metadata.get("general.architecture"), path).parseConfig(header, path);

/** config.json of a decoder of which only a GGUF file of this architecture tells. */
export const textFieldsFromGguf = (config: LanguageModelConfig, architecture: string): JsonObject =>
  knownGgufFamily(architecture, "the file").fieldsOf(config, architecture);

export interface GgufText extends GgufDescription {
  readonly architecture: string;
  readonly dialect: GgufDialect;
}

/** What a GGUF file says of a decoder of a model type. @throws LlavaError "usage" where those cannot hold it */
export function describeGgufText(type: string, config: LanguageModelConfig): GgufText {
  const { ggufArchitecture: architecture, title = type } = types.get(type) ?? {};
  const family = architecture === undefined ? undefined : ggufFamily(architecture);
  if (architecture === undefined || family === undefined)
    throw new LlavaError("usage", `a GGUF file cannot hold ${title} (model_type ${type})`, {
      hint: "No architecture of the format is known for it here.",
    });
  return { architecture, dialect: family.dialect, ...family.describe(config, architecture) };
}

const noTowerInGguf = (what: string): LlavaError =>
  new LlavaError("usage", `a GGUF file cannot hold ${what}`, {
    hint: `Known are towers of ${visionTowers.flatMap(({ name, gguf }) => (gguf ? [name] : [])).join(", ")}.`,
  });

/** How GGUF files (`mmproj`) describe a vision tower. @throws LlavaError "usage" where they cannot */
export function describeGgufTower(config: VisionConfig) {
  const { gguf } = familyOf(visionTowers, config);
  if (gguf === undefined) throw noTowerInGguf(`a vision tower of the family ${config.family}`);
  return { names: gguf.names, metadata: gguf.describe(config), notes: gguf.notes ?? [] };
}

/** The words that a GGUF file has for its vision tower; undefined for one that is not known. */
export const ggufTower = (header: GgufHeader) => visionTowers.find(({ gguf }) => gguf?.isIn(header))?.gguf;

/**
 * A vision tower's `config.json`, that of a whole model with one, or the `vision_config` inside another.
 * @throws LlavaError "config" naming the field
 */
export function parseVisionConfig(
  json: unknown,
  where: string,
  type: string = modelType(json, assumedTower),
): VisionConfig {
  for (const family of visionTowers) {
    const [tower, whole] = family.modelTypes;
    if (type === whole) {
      const inside = (json as JsonObject)["vision_config"];
      return parseVisionConfig(inside, where, modelType(inside, tower));
    }
    if (type === tower) return family.parseConfig(json ?? {}, where);
  }
  const known = visionTowers.flatMap(({ modelTypes }) => modelTypes).join(", ");
  throw new LlavaError("config", `${where}: vision model type "${type}"; known are ${known}`, {
    hint: "Checkpoints with other vision towers are not read yet.",
  });
}

/** The fields of such a file that are followed, and those that must not change anything. */
export const visionFields = (json: unknown) =>
  (visionTowers.find(({ modelTypes: [tower] }) => tower === modelType(json, "")) ?? visionTowers[0]).fields;

/** What config.json of language models that recipes name says, by hub name. */
export const PUBLISHED_DECODERS = publishedBy(languageModels);

/** Towers that original checkpoints name without describing them. */
export const PUBLISHED_TOWERS = publishedBy(visionTowers);

/** What files of whole models hold beside a vision tower. */
export const BESIDE_TOWERS: readonly RegExp[] = visionTowers.flatMap(({ besides }) => besides);

/** The features that a tower gives for a tile. */
export const gridOf = (
  config: VisionConfig,
  selectStrategy: FeatureSelection["selectStrategy"],
): FeatureGrid => familyOf(visionTowers, config).gridOf(config, selectStrategy);

/** The family's name of such towers in `architectures`. */
export const visionArchitectureOf = (config: VisionConfig): string =>
  familyOf(visionTowers, config).architecture;

/** Whether "patch" leaves a row of features out. */
export const hasClassToken = (config: VisionConfig): boolean => familyOf(visionTowers, config).hasClassToken;

/** The hidden state that the original code takes of such towers, whatever is asked for. */
export const originalLayerOf = (config: VisionConfig): number | undefined =>
  familyOf(visionTowers, config).originalLayer;

/** How images are made ready for a tower where no file says. */
export const imageConfigOf = (config: VisionConfig, aspect: AspectMode): ImageProcessorConfig =>
  familyOf(visionTowers, config).imageConfig(config.imageSize, aspect);

/** A vision tower without weights. */
export const createVisionTower = (config: VisionConfig, selection: FeatureSelection): VisionTower =>
  familyOf(visionTowers, config).build(config, selection);
