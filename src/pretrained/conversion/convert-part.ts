import { cpSync, existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import {
  canonicalNames,
  layouts,
  type Naming,
  type TensorSource,
  writeSafetensors,
  writeTorchFile,
} from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { makeFolder, readJsonObject, writing } from "../../files/index.ts";
import { adapterFiles } from "../../setup/index.ts";
import type { DType, Tensor } from "../../torch/index.ts";
import {
  ADAPTER_CONFIG,
  type AdapterConfig,
  adapterFolder,
  isAdapter,
  LOW_RANK,
  openAdapter,
  readAdapterConfig,
} from "../adapter-files.ts";
import { sizeOf, sizesIn } from "../adapter-sizes.ts";
import { isProjectorFolder, openProjector } from "../projector-file.ts";
import { plain } from "../save.ts";
import { compareWritten, safetensorsType } from "./compare.ts";
import { isOriginalConfig } from "./configuration.ts";
import { type ConversionReport, requireEqual, requireFreeFolder } from "./convert.ts";
import { writeJson } from "./image-token.ts";

export interface PartOptions {
  readonly to: "hf" | "original";
  /** Folder that must not hold anything yet. */
  readonly output: string;
  /** Element type of the weights; as stored without it. */
  readonly dtype?: DType | undefined;
  /** Of an adapter: the model in the wanted layout that it belongs to from now on. */
  readonly base?: string | undefined;
  readonly report: (line: string) => void;
}

/** What was made of a part, in a folder without its name yet. */
interface MadePart {
  readonly from: "hf" | "original";
  /** By canonical names. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly notes: readonly string[];
  /** Opens what was written, under canonical names. */
  written(): TensorSource;
}

/** Whether a place holds an adapter, or a projector without a model: a part of one, which is converted by itself. */
export const isPart = (place: string, { base }: Pick<PartOptions, "base">): boolean =>
  isAdapter(adapterFolder(place)) ||
  statSync(place, { throwIfNoEntry: false })?.isFile() === true ||
  (base === undefined && isProjectorFolder(place));

/**
 * Writes an adapter or a projector by the names that its layout's model has, reads it back and compares every tensor: "hf" is an
 * adapter as PEFT has it of transformers' LLaVA, and `projector.safetensors`; "original" is what the original code reads,
 * modules that were trained whole in `non_lora_trainables.bin`, and `mm_projector.bin`.
 * @throws LlavaError "usage" for what the layout cannot hold
 */
export function convertPart(place: string, options: PartOptions): ConversionReport {
  const { output, to, dtype } = options;
  requireFreeFolder(output);
  const partial = `${output}.partial`;
  try {
    rmSync(partial, { recursive: true, force: true });
    makeFolder(partial);
    const folder = adapterFolder(place);
    const made = (isAdapter(folder) ? writeAdapter : writeProjector)(folder, partial, options);
    using written = made.written();
    const compared = compareWritten(written, made.tensors, safetensorsType(dtype));
    requireEqual(compared);
    const files = readdirSync(partial).filter((name) => /\.(?:safetensors|bin)$/.test(name));
    writing(output, () => {
      rmSync(output, { recursive: true, force: true });
      renameSync(partial, output);
    });
    return {
      ...{ from: made.from, to, output, files, tensors: compared },
      bytes: compared.reduce((sum, { bytes }) => sum + bytes, 0),
      largestDifference: compared.reduce((most, tensor) => Math.max(most, tensor.largestDifference), 0),
      leftOut: { tensors: [], fields: [] },
      notes: made.notes,
    };
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
}

const tensorsOf = (source: TensorSource): Map<string, Tensor> =>
  new Map(Array.from(source.names(), (name) => [name, source.read(name)]));

function writeAdapter(folder: string, partial: string, options: PartOptions): MadePart {
  const config = readAdapterConfig(folder);
  using stored = openAdapter(folder);
  const isOriginal = [...stored.storedPaths].some(
    ([path, own]) => own !== path && own === pathIn(layouts.original, path),
  );
  const [lowRank, whole] = [tensorsOf(stored.lowRank), tensorsOf(stored.whole)];
  const { to, dtype, base } = options;
  const layout = to === "hf" ? canonicalNames : layouts.original;
  const paths = [...stored.storedPaths.keys()];
  const nameOf = adapterName(layout, new Set(paths));
  const named = (tensors: ReadonlyMap<string, Tensor>) =>
    new Map(Array.from(tensors, ([name, tensor]) => [nameOf(name), plain(tensor, dtype)]));
  const own = join(partial, `${adapterFiles.own}.safetensors`);
  const sizes = Array.from(stored.storedPaths, ([path, storedPath]) => ({
    path,
    ...sizeOf(storedPath, config),
  }));
  const { rank, alpha, rankPattern, alphaPattern } = sizesIn(
    new Map(sizes.map(({ path, ...size }) => [pathIn(layout, path), size])),
  );
  const notes: string[] = [];
  let targets = paths.map((path) => pathIn(layout, path));
  if (to === "original") {
    requireLanguageModel(paths);
    targets = [...new Set(paths.map((path) => path.slice(path.lastIndexOf(".") + 1)))];
    writeSafetensors(own, named(lowRank));
    if (whole.size > 0) writeTorchFile(join(partial, `${adapterFiles.besides}.bin`), named(whole));
    notes.push(...giveConfig(isOriginal ? folder : base, partial, whole.size > 0));
  } else {
    writeSafetensors(own, named(new Map([...lowRank, ...whole])));
    if (isOriginal && base === undefined)
      notes.push(
        `the base is still ${config.baseModel}: PEFT needs a LLaVA in Hugging Face's layout around that language model, which --base names`,
      );
  }
  const modules = [...whole.keys()].flatMap((name) => moduleTrainedWhole(name, config));
  writeJson(join(partial, ADAPTER_CONFIG), {
    ...readJsonObject(join(folder, ADAPTER_CONFIG)),
    ...{ r: rank, lora_alpha: alpha, rank_pattern: rankPattern, alpha_pattern: alphaPattern },
    target_modules: targets,
    modules_to_save: to === "hf" && modules.length > 0 ? [...new Set(modules)] : null,
    // The targets say which layers, and nothing is known of the class.
    ...{ layers_to_transform: null, layers_pattern: null, auto_mapping: null },
    base_model_name_or_path: base ?? config.baseModel ?? null,
  });
  return {
    from: isOriginal ? "original" : "hf",
    tensors: new Map([...lowRank, ...whole]),
    notes,
    written: () => openAdapter(partial).all,
  };
}

const pathIn = (layout: Naming, path: string): string =>
  (layout.write(`${path}.weight`) ?? `${path}.weight`).slice(0, -".weight".length);

/** PEFT's names of an adapter's tensors in a layout, by canonical ones; adapted layers have what is theirs inside. */
const adapterName =
  (layout: Naming, adapted: ReadonlySet<string>) =>
  (name: string): string => {
    const path = name.replace(LOW_RANK, "");
    if (path !== name) return `base_model.model.${pathIn(layout, path)}${name.slice(path.length)}`;
    const end = name.lastIndexOf(".");
    const module = name.slice(0, end);
    return adapted.has(module)
      ? `base_model.model.${pathIn(layout, module)}.base_layer${name.slice(end)}`
      : `base_model.model.${layout.write(name) ?? name}`;
  };

function requireLanguageModel(paths: readonly string[]): void {
  const outside = paths.find((path) => !/^(?:model\.language_model\.|lm_head$)/.test(path));
  if (outside === undefined) return;
  throw new LlavaError("usage", `the original layout cannot hold an adapter of ${outside}`, {
    hint: "The original code adapts the language model alone; adapt that, or keep Hugging Face's layout.",
  });
}

/** The original code reads config.json beside an adapter, with what LLaVA adds to its base. */
function giveConfig(from: string | undefined, partial: string, hasModules: boolean): string[] {
  const path = from === undefined ? "" : join(from, "config.json");
  if (!existsSync(path) || !hasModules)
    return [
      `config.json is not written: the original code needs that of the base in its layout, which --base names${hasModules ? "" : ", and a projector that was trained with the adapter"}`,
    ];
  if (!isOriginalConfig(readJsonObject(path)))
    throw new LlavaError(
      "usage",
      `${path} is not of the original layout, and an adapter in it needs one that is`,
      {
        hint: "Convert the base too (llava convert BASE --to original), and name that (--base).",
      },
    );
  cpSync(path, join(partial, "config.json"));
  return [];
}

/** As PEFT's modules_to_save names it; biases trained beside adapters are none. */
function moduleTrainedWhole(name: string, { bias }: AdapterConfig): string[] {
  if (bias !== "none" && name.endsWith(".bias")) return [];
  const [, part] = /^model\.(multi_modal_projector|vision_tower|image_newline)\b/.exec(name) ?? [];
  return [part ?? name.replace(/^model\.language_model\./, "").replace(/\.(?:weight|bias)$/, "")];
}

function writeProjector(place: string, partial: string, { to, dtype, report }: PartOptions): MadePart {
  const isFile = statSync(place).isFile();
  using source = openProjector(place, report);
  const tensors = tensorsOf(source);
  const from = basename(source.where) === "projector.safetensors" ? "hf" : "original";
  const foreign = [...tensors.keys()].find((name) => name.startsWith("model.vision_tower.feature_"));
  if (to === "original" && foreign !== undefined)
    throw new LlavaError(
      "usage",
      `the original layout cannot hold ${foreign}, which a built-in model's projector has`,
    );
  const isLinear = ![...tensors.keys()].some((name) => name.includes(".linear_2."));
  const layout = to === "hf" ? canonicalNames : layouts[isLinear ? "originalLinear" : "original"];
  const named = new Map(
    Array.from(tensors, ([name, tensor]) => [layout.write(name) ?? name, plain(tensor, dtype)]),
  );
  const path = join(partial, to === "hf" ? "projector.safetensors" : "mm_projector.bin");
  if (to === "hf") writeSafetensors(path, named);
  else writeTorchFile(path, named);
  const config = join(place, "config.json");
  if (!isFile && existsSync(config)) cpSync(config, join(partial, "config.json"));
  return { from, tensors, notes: [], written: () => openProjector(path) };
}
