import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { openCheckpoint, openWeights } from "../../../checkpoint/index.ts";
import { LlavaError } from "../../../errors.ts";
import { parseJsonObject } from "../../../files/index.ts";
import { ggufDialect } from "../../../models/index.ts";
import { type ModelFacts, modelFacts } from "../../../pretrained/index.ts";
import type { ResolvedModel } from "../../../setup/index.ts";
import { fileSize } from "../../frame/sizes.ts";

export interface ModelInfo {
  name: string;
  folder: string;
  /** What it is and what its parts are. */
  facts: ModelFacts;
  /** The telling fields of the configuration, where there is a config.json. */
  config: Record<string, unknown>;
  files: FileInfo[];
  parameters: number;
  /** Of all files of weights. */
  weightBytes: number;
}

interface FileInfo {
  name: string;
  bytes: number;
  /** Absent for files that are not weights. */
  tensors?: { name: string; dtype: string; shape: readonly number[] }[];
}

const weightsFile = /\.(?:safetensors|gguf|pth|bin)$/;

/** Reads configuration and tensor tables, no weights; neither libtorch nor the addon are needed. */
export async function inspectModel(model: ResolvedModel): Promise<ModelInfo> {
  const { name, folder, paths } =
    model.kind === "folder"
      ? { name: basename(model.path), folder: model.path, paths: filesOf(model.path, model.gguf) }
      : {
          name: model.name,
          folder: model.folder,
          paths: [model.visionTower, model.languageModel, model.projector].filter(existsSync),
        };
  const files = paths.map(inspectFile);
  return {
    name,
    folder,
    facts: await modelFacts(model),
    config: readConfig(join(folder, "config.json")),
    files,
    parameters: countParameters(model, files),
    weightBytes: files.reduce((sum, { bytes, tensors }) => sum + (tensors ? bytes : 0), 0),
  };
}

/** Of a folder, those that would be loaded: it may hold its weights in several formats, and other tensors too. */
function countParameters(model: ResolvedModel, files: readonly FileInfo[]): number {
  const count = (shapes: Iterable<readonly number[]>): number =>
    [...shapes].reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
  const all = (): number => count(files.flatMap(({ tensors = [] }) => tensors.map(({ shape }) => shape)));
  if (model.kind !== "folder" || model.gguf !== undefined) return all();
  try {
    using source = openCheckpoint(model.path, ggufDialect);
    return count(Array.from(source.names(), (name) => source.info(name).shape));
  } catch (error) {
    if (error instanceof LlavaError) return all(); // parts of a model, such as an adapter
    throw error;
  }
}

/** All of a folder, or of its GGUF files the one that is meant and what it sees with. */
const filesOf = (folder: string, gguf: string | undefined): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => gguf === undefined || name === gguf || /mmproj.*\.gguf$/i.test(name))
    .map((name) => join(folder, name))
    .sort();

function inspectFile(path: string): FileInfo {
  const name = basename(path);
  const { size: bytes } = statSync(path);
  if (!weightsFile.test(name)) return { name, bytes };
  using source = openWeights(path, ggufDialect);
  const tensors = Array.from(source.names(), (tensor) => {
    const { dtype, shape } = source.info(tensor);
    return { name: tensor, dtype, shape };
  });
  return { name, bytes, tensors };
}

/** Nested configurations keep the fields that tell what kind and size of part it is. */
function readConfig(path: string): Record<string, unknown> {
  if (!existsSync(path)) return {};
  const telling =
    /^(architectures|model_type|torch_dtype|dtype|vocab_size|image_size|patch_size|hidden_size|mm_.*|image_.*|vision_feature_.*|num_.*|intermediate_size|max_position_embeddings)$/;
  const pick = (fields: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(fields).flatMap(([key, value]): [string, unknown][] => {
        if (/^(text|vision)_config$/.test(key)) return [[key, pick(value as Record<string, unknown>)]];
        return telling.test(key) ? [[key, value]] : [];
      }),
    );
  return pick(parseJsonObject(readFileSync(path), path));
}

export function renderModel(
  { name, folder, facts: known, config, files, parameters, weightBytes }: ModelInfo,
  listTensors: boolean,
): string {
  const facts: [string, string][] = [
    ["folder", folder],
    ...factLines(known),
    [
      "parameters",
      `${parameters < 1e5 ? parameters : `${(parameters / 1e6).toFixed(1)} million`}, ${fileSize(weightBytes)} in files`,
    ],
    ...flatten(config),
    ...known.unknown.map((why): [string, string] => ["not told", why]),
  ];
  const column = Math.max(...facts.map(([key]) => key.length));
  const lines = [name, ...facts.map(([key, value]) => `${key.padEnd(column)}  ${value}`)];
  const width = Math.max(...files.map((file) => file.name.length));
  lines.push("");
  for (const { name: file, bytes, tensors } of files) {
    const types = [...new Set(tensors?.map(({ dtype }) => dtype))].join(", ");
    const content = tensors ? `  ${tensors.length} tensors (${types})` : "";
    lines.push(`${file.padEnd(width)}  ${fileSize(bytes).padStart(9)}${content}`);
    if (!listTensors) continue;
    for (const tensor of tensors ?? [])
      lines.push(`  ${tensor.name}  ${tensor.dtype}  [${tensor.shape.join(", ")}]`);
  }
  return lines.join("\n");
}

/** One line for each part; what a machine makes of its sizes comes behind these. */
function factLines({
  kind,
  layout,
  base,
  language,
  vision,
  projector,
  images,
  adapter,
  template,
}: ModelFacts) {
  const lines: [string, string][] = [["kind", layout === undefined ? kind : `${kind}, ${LAYOUTS[layout]}`]];
  if (base !== undefined) lines.push(["base", base]);
  if (adapter)
    lines.push([
      "adapter",
      `rank ${adapter.rank}, alpha ${adapter.alpha}, on ${[adapter.targets].flat().join(", ")}`,
    ]);
  if (language)
    lines.push([
      "language model",
      `${language.title}: ${language.numLayers} layers of ${language.hiddenSize}, ${language.numHeads} heads of ${language.headDim} (${language.numKeyValueHeads} key-value), ${language.vocabSize} words${language.tied ? ", tied" : ""}, context ${language.contextLength}, rope ${language.rope}`,
    ]);
  if (vision)
    lines.push([
      "vision tower",
      `${vision.family}: ${vision.numLayers} layers of ${vision.hiddenSize}, ${vision.imageSize} pixels in patches of ${vision.patchSize}${vision.grid ? `, features ${vision.grid} of layer ${vision.featureLayers?.join(", ")}` : ""}${vision.from ? `, from ${vision.from}` : ""}`,
    ]);
  if (projector) lines.push(["projector", `${projector.type}, ${projector.layers} layers`]);
  if (images) {
    const { aspect, pinpoints, merge, mostTiles, tokens } = images;
    const most = mostTiles === undefined ? "" : `, shrunk to ${mostTiles} tiles`;
    lines.push(["images", pinpoints ? `${aspect}, merged ${merge}${most}` : aspect]);
    if (pinpoints)
      lines.push(["pinpoints", pinpoints.map(([width, height]) => `${width}×${height}`).join(" ")]);
    const examples = Object.entries(tokens).map(([size, count]) => `${count} (${size})`);
    lines.push(["tokens an image", examples.join(", ")]);
  }
  if (template !== undefined) lines.push(["template", template]);
  return lines;
}

const LAYOUTS = {
  hf: "Hugging Face's layout",
  original: "the original LLaVA's layout",
  gguf: "GGUF",
} as const;

function flatten(fields: Record<string, unknown>, prefix = ""): [string, string][] {
  return Object.entries(fields).flatMap(([key, value]): [string, string][] =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? flatten(value as Record<string, unknown>, `${prefix}${key}.`)
      : [[prefix + key, JSON.stringify(value)]],
  );
}
