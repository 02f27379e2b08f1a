import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { merged, openCheckpoint, renamed, type TensorSource } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { type JsonObject, readJsonObject } from "../files/index.ts";
import { ggufDialect, type LlavaConfig } from "../models/index.ts";
import type { ResolvedModel } from "../setup/index.ts";
import { addedTo, isNamedDelta } from "./delta.ts";
import type { DescribedCheckpoint } from "./describe-checkpoint.ts";
import { isProjectorFolder, openProjector } from "./projector-file.ts";

/** Where the parts of a checkpoint are: a LLaVA trained as an adapter has a configuration, but its base's tokenizer. */
export interface CheckpointFolders {
  /** Holds config.json. */
  readonly config: string;
  /** Holds tokenizer, image processor and generation settings. */
  readonly files: string;
  /** Reads the configuration and names the folder of the vision tower, where config.json is not a LLaVA's. */
  readonly assembled?: () => DescribedCheckpoint;
  /** Makes such a config.json that of a LLaVA. */
  readonly adapt?: (json: JsonObject) => JsonObject;
  /** Opens the weights, under canonical names. */
  readonly open: (config: LlavaConfig) => TensorSource;
  /** The weights hold no projector: it is left without values. */
  readonly withoutProjector?: boolean;
}

interface PlacesOptions {
  readonly base?: string;
  readonly deltaOf?: string;
  readonly resolve?: (name: string) => Promise<ResolvedModel>;
  readonly report?: (line: string) => void;
}

/** The parts of a folder: of a whole model, or of a projector, whose base has the rest. */
export async function checkpointFolders(
  folder: string,
  { base, deltaOf, resolve, report = () => {} }: PlacesOptions,
): Promise<CheckpointFolders> {
  // A projector's file need not be there where only its configuration is read.
  const isProjector = isProjectorFolder(folder) || (base !== undefined && isDescribedAlone(folder));
  if (!isProjector) {
    if (base === undefined) {
      const whole = (config: LlavaConfig) => weightsOf(folder, config);
      if (deltaOf === undefined) warnOfDelta(folder, report);
      const from = deltaOf === undefined ? undefined : await languageModelOf(folder, deltaOf, resolve);
      const open = from === undefined ? whole : (config: LlavaConfig) => addedTo(from, whole(config));
      return { config: folder, files: folder, open };
    }
    throw new LlavaError("usage", `${folder} is a whole model, which needs no base`, {
      hint: "Leave out the base; it is for adapters, and for projectors of a first stage.",
    });
  }
  if (deltaOf !== undefined)
    throw new LlavaError("usage", `${folder} holds a projector, and not the difference from a model`, {
      hint: "Give the projector's language model as its base.",
    });
  if (base === undefined) {
    const { _name_or_path: named } = readJsonObject(join(folder, "config.json"));
    throw new LlavaError("checkpoint", `${folder} holds a projector, and not the language model around it`, {
      hint: `Give that model's folder or name (--base)${typeof named === "string" && named !== "" ? `; its config.json names ${named}` : ""}.`,
    });
  }
  const path = await languageModelOf(folder, base, resolve);
  return {
    config: folder,
    files: path,
    open: (config) => merged(openProjector(folder, report), weightsOf(path, config)),
  };
}

async function languageModelOf(
  folder: string,
  base: string,
  resolve: PlacesOptions["resolve"],
): Promise<string> {
  const found = resolve === undefined ? { kind: "folder" as const, path: base } : await resolve(base);
  if (found.kind === "folder") return found.path;
  throw new LlavaError("checkpoint", `${folder}: its base is a folder's weights, not the built-in ${base}`, {
    hint: "Give the folder of the language model that it was trained with.",
  });
}

function warnOfDelta(folder: string, report: (line: string) => void): void {
  const path = join(folder, "config.json");
  if (!existsSync(path) || !isNamedDelta(folder, readJsonObject(path)["_name_or_path"])) return;
  report(
    `${folder}: by its name these weights are the difference from a language model, and no model by themselves; llava convert --delta-of adds them`,
  );
}

const isDescribedAlone = (folder: string): boolean =>
  existsSync(join(folder, "config.json")) &&
  !readdirSync(folder).some((name) => /\.(?:safetensors|bin|gguf|index\.json)$/i.test(name));

/** The weights of a checkpoint's folder with those of its vision tower. */
export function weightsOf(folder: string, config: LlavaConfig): TensorSource {
  const own = openCheckpoint(folder, ggufDialect);
  if (config.visionTower === undefined) return own;
  if (!existsSync(config.visionTower)) {
    own[Symbol.dispose]();
    throw new LlavaError(
      "checkpoint",
      `${folder}: its vision tower ${config.visionTower} is a checkpoint of its own`,
      {
        hint: "Put the tower's folder under that name beside the checkpoint's files, name it (--vision-tower), or fetch it (llava model pull).",
      },
    );
  }
  // Stray copies of tower tensors in the language model's files are not the tower this checkpoint was trained with.
  const withoutTower = renamed(own, (name) => (name.startsWith("model.vision_tower.") ? undefined : name));
  return merged(withoutTower, openCheckpoint(config.visionTower));
}
