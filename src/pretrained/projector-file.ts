import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { openCheckpoint, openWeights, renamed, type TensorSource } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { modelName } from "./adapter-files.ts";

/** Files that hold a projector and little else: a run's own, and those of the original code's first stage and of its LoRA. */
const FILES = [
  "projector.safetensors",
  "mm_projector.safetensors",
  "mm_projector.bin",
  "non_lora_trainables.safetensors",
  "non_lora_trainables.bin",
];

const WEIGHTS = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

/** The file of a projector in a folder. */
const projectorIn = (folder: string): string | undefined =>
  FILES.map((name) => join(folder, name)).find((path) => existsSync(path));

/** Whether a folder holds a projector without the model around it, as the original code's first stage leaves behind. */
export const isProjectorFolder = (folder: string): boolean =>
  existsSync(join(folder, "config.json")) &&
  projectorIn(folder) !== undefined &&
  !WEIGHTS.some((name) => existsSync(join(folder, name))) &&
  !existsSync(join(folder, "adapter_config.json"));

const PROJECTOR_PREFIX = "model.multi_modal_projector.";
const STATISTIC = /^model\.vision_tower\.feature_(?:mean|std)$/;

/**
 * A projector, with the statistics of its features where it has any, under canonical names: from a file in any container
 * and with any of the known prefixes before its tensors, or from a folder that has one. What else the file holds is left
 * out, and told of.
 * @throws LlavaError "checkpoint" where there is none
 */
export function openProjector(path: string, report: (line: string) => void = () => {}): TensorSource {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isFolder ? projectorIn(path) : path;
  const all = file === undefined ? openCheckpoint(path) : openWeights(file);
  const source = renamed(all, (stored) => {
    const name = projectorName(stored);
    return name.startsWith(PROJECTOR_PREFIX) || STATISTIC.test(name) ? name : undefined;
  });
  const [first = "nothing", ...others] = all.names();
  if ([...source.names()].some((name) => name.startsWith(PROJECTOR_PREFIX))) {
    const left = [first, ...others].length - [...source.names()].length;
    if (left > 0) report(`${all.where}: only its projector is used; it holds ${left} other tensors`);
    return source;
  }
  all[Symbol.dispose]();
  throw new LlavaError("checkpoint", `${all.where} holds no projector; it begins with ${first}`, {
    hint: "Give the projector.safetensors of a first stage, or the mm_projector.bin of the original code.",
  });
}

/** A projector may be saved as a module of its own, whose names have nothing before them. */
const BARE = /^(?:(?:linear_)?\d+\.)?(?:weight|bias)$/;

function projectorName(stored: string): string {
  const name = stored.replace(/^(?:module\.)+/, "");
  if (!BARE.test(name)) return modelName(name);
  return name.startsWith("linear_") ? `${PROJECTOR_PREFIX}${name}` : modelName(`mm_projector.${name}`);
}
