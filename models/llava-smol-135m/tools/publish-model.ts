/**
 * Makes what a finished run trained the part that a built-in model ships: the projector with its feature statistics and,
 * where the run had one, the adapter of the language model, in bfloat16, with the recipe they came from but without the
 * run's own paths.
 *
 *   node models/llava-smol-135m/tools/publish-model.ts runs/first [models/llava-smol-135m]
 *
 * In place of a run it takes one of its checkpoints. A run that went on from a projector leaves the statistics to it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openSafetensors, readSafetensorsHeader, writeSafetensors } from "../../../src/checkpoint/index.ts";
import { makeFolder, readJsonObject } from "../../../src/files/index.ts";
import { writeAdapterConfig } from "../../../src/pretrained/index.ts";
import type { Recipe } from "../../../src/training/index.ts";

const [run, folder = "models/llava-smol-135m"] = process.argv.slice(2);
if (run === undefined) {
  console.error(
    "usage: node models/llava-smol-135m/tools/publish-model.ts <folder of the run> [<folder of the model>]",
  );
  process.exit(2);
}
const path = ["projector.safetensors", "adapter/adapter_model.safetensors", "weights.safetensors"]
  .map((file) => join(run, file))
  .find(existsSync);
if (path === undefined) throw new Error(`${run} holds neither a result nor a checkpoint`);
const { recipe: full, step } = originOf(path);
const { output, data, evaluation, features, projector: start, ...recipe } = full;
const { rows, images, ...dataset } = data;
const { start: _, ...lora } = full.lora ?? {};
const kept = { ...recipe, ...(full.lora && { lora }), data: dataset };
const metadata = { format: "pt", recipe: JSON.stringify(kept), step };
makeFolder(folder);

using trained = openSafetensors(path);
const isAdapter = (name: string): boolean => /\.lora_[AB]\.weight$/.test(name);
const names = [...trained.names()];
const statistics = ["model.vision_tower.feature_mean", "model.vision_tower.feature_std"];
using origin = openSafetensors(start !== "fresh" && start !== "loaded" ? start : path);
const projector = new Map([
  ...names
    .filter((name) => name.includes("multi_modal_projector."))
    .map((name) => [name.replace(/^base_model\.model\./, ""), trained.read(name, "bfloat16")] as const),
  ...statistics.map((name) => [name, origin.read(name, "float32")] as const),
]);
writeSafetensors(join(folder, "projector.safetensors"), projector, metadata);
const adapter = new Map(names.filter(isAdapter).map((name) => [name, trained.read(name, "bfloat16")]));
if (full.lora !== undefined) {
  writeSafetensors(join(folder, "adapter_model.safetensors"), adapter, metadata);
  const { rank, alpha, dropout, targets } = full.lora;
  const layers = `.*language_model.*\\.(?:${targets.join("|")})`;
  const { model: baseModel } = full;
  const plain = {
    rankStabilized: false,
    decomposed: false,
    rankPattern: {},
    alphaPattern: {},
    bias: "none" as const,
  };
  const options = { rank, alpha, dropout, ...plain, wholeModules: [], baseModel };
  writeAdapterConfig(folder, { ...options, targets: layers });
}
console.log(
  `${folder}: step ${step}, ${projector.size} tensors of the projector, ${adapter.size} of the adapter`,
);

/** A result has the recipe in its header, a checkpoint in a file beside its weights. */
function originOf(file: string): { recipe: Recipe; step: string } {
  const { metadata } = readSafetensorsHeader(file);
  const written = metadata.get("recipe");
  if (written !== undefined) return { recipe: JSON.parse(written) as Recipe, step: metadata.get("step")! };
  const state = readJsonObject(join(run!, "state.json"));
  return { recipe: state["recipe"] as Recipe, step: String(state["step"]) };
}
