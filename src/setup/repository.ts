import { basename, posix } from "node:path";
import type { JsonObject } from "../files/index.ts";

/** Containers of a model's weights, the first of which that is there is read; an index stands for the shards it names. */
export const weightFiles = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "mm_projector.bin",
] as const;

/** An adapter's files without their suffixes: PEFT's own, and what the original LLaVA trained besides. */
export const adapterFiles = { own: "adapter_model", besides: "non_lora_trainables" } as const;
/** Of containers, the first of which that is there is read. */
export const containerSuffixes = [".safetensors", ".bin"] as const;

const CONFIG = "config.json";
const ADAPTER_CONFIG = "adapter_config.json";
const isIndex = (name: string): boolean => name.endsWith(".index.json");

/** What describes a model: its configuration, tokenizer, image processor and chat template. */
const descriptions =
  /^(?:(?:adapter_|generation_|preprocessor_|processor_|tokenizer_)?config\.json|chat_template\.(?:jinja|json)|tokenizer\.(?:json|model)|(?:special_tokens_map|added_tokens|vocab)\.json|vocab\.txt|merges\.txt)$/;
/** Projectors that a recipe can start from, which may lie beside whole models. */
const projectors = ["mm_projector.bin", "projector.safetensors"];

export interface RepositoryFiles {
  /** What the loader would read, by paths inside the repository. */
  files: string[];
  /** JSON files of it whose content decides what else belongs to it, and is not known yet. */
  unread: string[];
  /** What must be there and is not, in words. */
  missing: string[];
}

/**
 * The files of a model's repository or folder that belong to it: exactly those that the loader would read, whatever else
 * lies there. `contents` holds JSON files that were read already: with those of `unread` added, more files may follow.
 * @param isHere tells files that need not be fetched: of containers that hold the same weights one of them is preferred
 * @param weights false for what describes the model alone
 */
export function repositoryFiles(
  names: ReadonlySet<string>,
  contents: ReadonlyMap<string, JsonObject>,
  isHere: (name: string) => boolean = () => false,
  weights = true,
): RepositoryFiles {
  const found: RepositoryFiles = { files: [], unread: [], missing: [] };
  const visited = new Set<string>();

  const visit = (prefix: string, needsWeights: boolean): void => {
    if (visited.has(prefix)) return;
    visited.add(prefix);
    const has = (name: string): boolean => names.has(prefix + name);
    const read = (name: string): JsonObject => {
      const content = contents.get(prefix + name);
      if (content === undefined) found.unread.push(prefix + name);
      return content ?? {};
    };
    const inside = [...names]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
    const take = (chosen: readonly string[]): void => {
      for (const name of chosen) if (!found.files.includes(prefix + name)) found.files.push(prefix + name);
    };
    const isAdapter = has(ADAPTER_CONFIG);
    const tensors = !weights
      ? { files: [], missing: [] }
      : isAdapter
        ? adapterWeights(has)
        : modelWeights(inside, has, read, (name) => isHere(prefix + name));
    const besides = weights ? projectors.filter(has) : [];
    take([...inside.filter((name) => descriptions.test(name)), ...besides].sort());
    take(tensors.files);
    const lacking = tensors.missing.filter((name) => needsWeights || name !== NO_WEIGHTS);
    found.missing.push(...lacking.map((name) => (name === NO_WEIGHTS ? name : prefix + name)));
    if (prefix === "" && !has(CONFIG) && !isAdapter) found.missing.push(CONFIG);

    // A vision tower or base model may be a folder beside, named by a path that need not be of this machine.
    const tower = has(CONFIG) ? read(CONFIG)["mm_vision_tower"] : undefined;
    for (const folder of foldersNamed(tower))
      if (has(`${folder}/${CONFIG}`)) visit(`${prefix}${folder}/`, false);
    const base = isAdapter ? read(ADAPTER_CONFIG)["base_model_name_or_path"] : undefined;
    for (const folder of foldersNamed(base))
      if (has(`${folder}/${CONFIG}`)) visit(`${prefix}${folder}/`, true);
  };
  visit("", true);
  found.unread = [...new Set(found.unread)];
  return found;
}

const NO_WEIGHTS = "weights as .safetensors or .bin";
type Weights = Pick<RepositoryFiles, "files" | "missing">;

function adapterWeights(has: (name: string) => boolean): Weights {
  const either = (name: string) => containerSuffixes.map((suffix) => name + suffix).find(has);
  const own = either(adapterFiles.own);
  const besides = either(adapterFiles.besides);
  return { files: [own, besides].filter((name) => name !== undefined), missing: own ? [] : [NO_WEIGHTS] };
}

function modelWeights(
  inside: readonly string[],
  has: (name: string) => boolean,
  read: (name: string) => JsonObject,
  isHere: (name: string) => boolean,
): Weights {
  const containers = weightFiles
    .filter(has)
    .map((name) => (isIndex(name) ? [name, ...shardsOf(read(name))] : [name]));
  const chosen = containers.find((files) => files.every(isHere)) ?? containers[0];
  if (chosen) return { files: chosen.filter(has), missing: chosen.filter((name) => !has(name)) };
  const ggufs = inside.filter((name) => /^[^/]+\.gguf$/i.test(name));
  if (ggufs.length === 1) return { files: ggufs, missing: [] };
  return {
    files: [],
    missing: [ggufs.length > 1 ? `one GGUF file, rather than several (${ggufs.join(", ")})` : NO_WEIGHTS],
  };
}

function shardsOf({ weight_map: map }: JsonObject): string[] {
  if (typeof map !== "object" || map === null) return [];
  return [
    ...new Set(Object.values(map).filter((shard): shard is string => typeof shard === "string")),
  ].sort();
}

/** Where a folder that a configuration names may lie inside the repository: under its path, or under its last part. */
function foldersNamed(path: unknown): string[] {
  if (typeof path !== "string" || path === "") return [];
  const plain = posix.normalize(path.replaceAll("\\", "/")).replace(/\/+$/, "");
  const candidates = posix.isAbsolute(plain) ? [basename(plain)] : [plain, basename(plain)];
  return candidates
    .filter((folder) => !folder.split("/").includes("..") && !["", "."].includes(folder))
    .slice(0, 2);
}
