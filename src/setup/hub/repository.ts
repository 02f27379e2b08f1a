import { basename, posix } from "node:path";
import type { JsonObject } from "../../files/index.ts";
import { chooseGguf } from "./gguf-choice.ts";
import type { HubChoice } from "./id.ts";

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
  /** Of GGUF files, each of which is a whole model, those among which one must be named. */
  choices: string[];
}

interface RepositoryChoice extends HubChoice {
  /** Tells files that need not be fetched: of containers that hold the same weights one of them is preferred. */
  isHere?: (name: string) => boolean;
}

/** The folders inside a repository that may be models by themselves. */
export const modelFolders = (names: Iterable<string>): string[] => [
  ...new Set([...names].filter((name) => /\/(?:config\.json|[^/]+\.gguf)$/i.test(name)).map(posix.dirname)),
];

/** The folder of a repository that a choice means, "" for the whole, else with a slash at its end. */
export const chosenFolder = (names: Iterable<string>, part: string | undefined): string =>
  part !== undefined && [...names].some((name) => name.startsWith(`${part}/`)) ? `${part}/` : "";

/**
 * The files of a model's repository or folder that belong to it: exactly those that the loader would read, whatever else
 * lies there. `contents` holds JSON files that were read already: with those of `unread` added, more files may follow.
 */
export function repositoryFiles(
  names: ReadonlySet<string>,
  contents: ReadonlyMap<string, JsonObject>,
  { part, weights: wantsWeights = true, isHere = () => false }: RepositoryChoice = {},
): RepositoryFiles {
  const found: RepositoryFiles = { files: [], unread: [], missing: [], choices: [] };
  const root = chosenFolder(names, part);
  const gguf = root === "" ? part : undefined;
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
    const besides = wantsWeights ? projectors.filter(has) : [];
    take([...inside.filter((name) => descriptions.test(name)), ...besides].sort());

    const isAdapter = has(ADAPTER_CONFIG);
    const hasDescription = isAdapter || weightFiles.some(has);
    const weights =
      hasDescription && !wantsWeights
        ? { files: [], missing: [], choices: [] }
        : isAdapter
          ? adapterWeights(has)
          : modelWeights(
              inside,
              has,
              read,
              (name) => isHere(prefix + name),
              prefix === root ? gguf : undefined,
            );
    take(weights.files);
    found.choices.push(...weights.choices.map((name) => prefix + name));
    const lacking = weights.missing.filter((name) => (needsWeights && wantsWeights) || name !== NO_WEIGHTS);
    found.missing.push(...lacking.map((name) => (name === NO_WEIGHTS ? name : prefix + name)));
    // A GGUF file tells its configuration itself.
    const tellsItself = weights.files.length > 0 && weights.files.every((name) => /\.gguf$/i.test(name));
    if (prefix === root && !has(CONFIG) && !isAdapter && !tellsItself) found.missing.push(prefix + CONFIG);

    // A vision tower or base model may be a folder beside, named by a path that need not be of this machine.
    const tower = has(CONFIG) ? read(CONFIG)["mm_vision_tower"] : undefined;
    for (const folder of foldersNamed(tower))
      if (has(`${folder}/${CONFIG}`)) visit(`${prefix}${folder}/`, false);
    const base = isAdapter ? read(ADAPTER_CONFIG)["base_model_name_or_path"] : undefined;
    for (const folder of foldersNamed(base))
      if (has(`${folder}/${CONFIG}`)) visit(`${prefix}${folder}/`, true);
  };
  visit(root, true);
  found.unread = [...new Set(found.unread)];
  return found;
}

const NO_WEIGHTS = "weights as .safetensors or .bin";
type Weights = Pick<RepositoryFiles, "files" | "missing" | "choices">;

function adapterWeights(has: (name: string) => boolean): Weights {
  const either = (name: string) => containerSuffixes.map((suffix) => name + suffix).find(has);
  const own = either(adapterFiles.own);
  const besides = either(adapterFiles.besides);
  const files = [own, besides].filter((name) => name !== undefined);
  return { files, missing: own ? [] : [NO_WEIGHTS], choices: [] };
}

function modelWeights(
  inside: readonly string[],
  has: (name: string) => boolean,
  read: (name: string) => JsonObject,
  isHere: (name: string) => boolean,
  gguf: string | undefined,
): Weights {
  const choice = chooseGguf(inside, gguf);
  if (gguf !== undefined && choice.files.length === 0)
    return {
      files: [],
      missing: [`folder ${gguf}, nor one GGUF file of that name`],
      choices: choice.choices,
    };
  if (gguf !== undefined) return { ...choice, missing: [] };
  const containers = weightFiles
    .filter(has)
    .map((name) => (isIndex(name) ? [name, ...shardsOf(read(name))] : [name]));
  // The loader reads the first container whose first file is there.
  const isRead = (at: number): boolean => !containers.slice(0, at).some(([first]) => isHere(first!));
  const chosen = containers.find((files, at) => files.every(isHere) && isRead(at)) ?? containers[0];
  if (chosen) return { files: chosen.filter(has), missing: chosen.filter((name) => !has(name)), choices: [] };
  const { files, choices } = choice;
  if (files.length > 0) return { files, missing: [], choices: [] };
  const several = `one GGUF file, rather than several (${choices.join(", ")})`;
  return { files, missing: [choices.length > 0 ? several : NO_WEIGHTS], choices };
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
