import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type GgufHeader,
  loadStrict,
  openGguf,
  openSafetensors,
  openTorchFile,
  readGgufHeader,
  subtree,
} from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import {
  configFromGguf,
  contextLengthOf,
  createLanguageModel,
  EfficientNetLite,
  type EfficientNetLiteVariant,
  ggufDialect,
  type LanguageModelConfig,
  Llava,
  PooledTower,
  Projector,
  type ProjectorConfig,
} from "../models/index.ts";
import { efficientNetLiteImageConfig } from "../processing/image/index.ts";
import { Processor, type ProcessorSource } from "../processing/processor/index.ts";
import { type GgufMetadata, tokenizerFromGguf } from "../processing/tokenizer/index.ts";
import type { ResolvedModel } from "../setup/index.ts";
import { Generator, keep, ones, zeros } from "../torch/index.ts";
import { loadAdapter, withAdapter } from "./adapter.ts";
import { isAdapter } from "./adapter-files.ts";
import { keeping, placementOf } from "./kept-weights.ts";
import { mergeWhereWhole } from "./lora.ts";
import { type DescribedModel, type LoadOptions, loaded, type PretrainedLlava } from "./pretrained.ts";

/** Stands for image features in `inputIds`, as in the original code: no token of the vocabulary can be mistaken for it. */
const IMAGE_TOKEN_ID = -200;

/** `config.json` beside a built-in model's projector. */
interface BuiltinConfig {
  readonly visionTower: EfficientNetLiteVariant;
  /** The tower's grid is averaged to this many rows and columns of features. */
  readonly tokensPerSide: number;
  readonly projector: ProjectorConfig & { readonly hiddenSize: number };
  /** Jinja template of conversations; the language model's own when left out. */
  readonly chatTemplate?: string;
}

type Builtin = Extract<ResolvedModel, { kind: "builtin" }>;

export interface BuiltinOptions extends LoadOptions {
  /** Overrides the number of feature rows and columns, for training another projector. */
  readonly tokensPerSide?: number;
  /** The parts as they come, without adapter, and projector and feature statistics without values: they are about to be trained. */
  readonly untrained?: boolean;
}

/** What is known of a built-in model without its weights. */
interface BuiltinDescription {
  readonly config: BuiltinConfig;
  readonly text: LanguageModelConfig;
  /** Of the language model's file. */
  readonly header: GgufHeader;
}

function readBuiltin({ projector, languageModel }: Builtin): BuiltinDescription {
  const folder = dirname(projector);
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as BuiltinConfig;
  const header = readGgufHeader(languageModel);
  return { config, text: configFromGguf(header, languageModel), header };
}

export function describeBuiltin(parts: Builtin, options: BuiltinOptions = {}): DescribedModel {
  const { config, text, header } = readBuiltin(parts);
  const metadata: GgufMetadata = new Map(
    [...header.metadata].filter(([key]) => key.startsWith("tokenizer.")),
  );
  const tower = new EfficientNetLite(config.visionTower);
  const visionTower = new PooledTower(tower, options.tokensPerSide ?? config.tokensPerSide);
  const template = options.chatTemplate ?? config.chatTemplate ?? metadata.get("tokenizer.chat_template");
  const source: ProcessorSource = {
    tokenizer: { metadata },
    format: { name: options.template, chatTemplate: String(template) },
    image: efficientNetLiteImageConfig(tower.imageSize),
    grid: visionTower.grid,
    imageTokenId: IMAGE_TOKEN_ID,
    contextLength: contextLengthOf(text),
    stopIds: [],
  };
  return {
    processor: new Processor(source, tokenizerFromGguf(metadata)),
    origin: undefined,
    load: () => loadParts(parts, { tower, visionTower, config, text, header }, options),
  };
}

/** Puts a built-in model together from its parts. */
export const loadBuiltin = (parts: Builtin, options: BuiltinOptions = {}): PretrainedLlava =>
  loaded(describeBuiltin(parts, options));

function loadParts(
  parts: Builtin,
  {
    tower,
    visionTower,
    config,
    text,
    header,
  }: BuiltinDescription & {
    readonly tower: EfficientNetLite;
    readonly visionTower: PooledTower;
  },
  options: BuiltinOptions,
): Llava {
  const folder = dirname(parts.projector);
  using gguf = openGguf(parts.languageModel, ggufDialect, header);
  using towerFile = openTorchFile(parts.visionTower);
  const projector = new Projector(config.projector, {
    in: tower.hiddenSize,
    hidden: config.projector.hiddenSize,
    out: text.hiddenSize,
  });
  const languageModel = createLanguageModel(text);

  const placement = placementOf(options);
  // The tower runs in float32: it is small, and training cached its features so.
  const device = options.device && { device: options.device };
  loadStrict(tower, towerFile, { ...device, ignore: tower.unused });
  const adapterPlace = !options.untrained && isAdapter(folder) ? folder : undefined;
  const stored = subtree(gguf, "model.");
  // 8 bits of the sum are as good as the sum; in 4 bits the adapter makes up for what rounding loses, and stays beside it.
  const staysBeside =
    options.weights === "stored" || options.weights === "int4" || options.frozenWeights !== undefined;
  const isMerged = adapterPlace !== undefined && !staysBeside;
  using source = isMerged ? withAdapter(stored, languageModel, adapterPlace) : stored;
  loadStrict(keeping(languageModel, languageModel, options), source, placement);
  if (options.untrained) {
    visionTower.setParameter("feature_mean", keep(zeros([tower.hiddenSize])));
    visionTower.setParameter("feature_std", keep(ones([tower.hiddenSize])));
  } else {
    loadProjector(parts, visionTower, projector, placement);
  }

  const model = new Llava({ visionTower, projector, languageModel, imageTokenId: IMAGE_TOKEN_ID });
  if (adapterPlace !== undefined && !isMerged) mergeAdapter(model, adapterPlace);
  if (options.computeDtype !== undefined) model.computeDtype = options.computeDtype;
  return model;
}

function mergeAdapter(model: Llava, folder: string): void {
  using generator = new Generator(0);
  loadAdapter(model, folder, { generator, wholeModules: "none" });
  mergeWhereWhole(model);
}

function loadProjector(
  parts: Builtin,
  visionTower: PooledTower,
  projector: Projector,
  placement: LoadOptions,
): void {
  if (!existsSync(parts.projector))
    throw new LlavaError("checkpoint", `${parts.name} has no projector: ${parts.projector} does not exist`, {
      hint: "Train it: llava train recipes/llava-smol-135m/pretrain.ts",
    });
  using trained = openSafetensors(parts.projector);
  loadStrict(projector, subtree(trained, "model.multi_modal_projector."), placement);
  for (const name of ["feature_mean", "feature_std"])
    visionTower.setParameter(name, trained.read(`model.vision_tower.${name}`, "float32"));
}
