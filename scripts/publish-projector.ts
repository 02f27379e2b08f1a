/**
 * Makes a finished run's projector the one that the built-in model ships: in bfloat16, with the recipe it came from but
 * without the run's own paths.
 *
 *   node scripts/publish-projector.ts runs/first [models/llava-smol-135m]
 */
import { join } from "node:path";
import { openSafetensors, readSafetensorsHeader, writeSafetensors } from "../src/checkpoint/index.ts";

const [run, folder = "models/llava-smol-135m"] = process.argv.slice(2);
if (run === undefined) {
  console.error("usage: node scripts/publish-projector.ts <folder of the run> [<folder of the model>]");
  process.exit(2);
}
const path = join(run, "projector.safetensors");
const { metadata } = readSafetensorsHeader(path);
const { output, data, evaluation, features, ...recipe } = JSON.parse(metadata.get("recipe")!);
const { rows, images, ...dataset } = data;
using source = openSafetensors(path);
const tensors = new Map(
  [...source.names()].map((name) => {
    const isStatistic = name.startsWith("model.vision_tower.");
    return [name, source.read(name, isStatistic ? "float32" : "bfloat16")];
  }),
);
const target = join(folder, "projector.safetensors");
writeSafetensors(target, tensors, {
  format: "pt",
  recipe: JSON.stringify({ ...recipe, data: dataset }),
  step: metadata.get("step")!,
});
console.log(`${target}: ${[...tensors.keys()].join(", ")}`);
