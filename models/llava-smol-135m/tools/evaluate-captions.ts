/**
 * Measures how well a model captions images it has not seen: the loss of reference captions with the true image and
 * with another one, and CIDEr and BLEU-4 of its own greedy captions.
 *
 *   node models/llava-smol-135m/tools/evaluate-captions.ts --rows test.json --images FOLDER [--model NAME] [--loss-images 100] [--json]
 *
 * The rows are LLaVA JSON, one caption a row (models/llava-smol-135m/tools/flickr8k.ts writes them); captions follow the bare image, or,
 * with --prompt, a question in the model's chat template.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { readRows } from "../../../src/data/index.ts";
import { evaluateCaptions } from "../../../src/evaluation/index.ts";
import { loadPretrained } from "../../../src/pretrained/index.ts";
import { defaultModel, resolveModel } from "../../../src/setup/index.ts";
import { type DType, fastDType } from "../../../src/torch/index.ts";
import { HeldOut } from "./held-out.ts";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: defaultModel },
    rows: { type: "string" },
    images: { type: "string" },
    prompt: { type: "string" },
    dtype: { type: "string", default: fastDType().dtype },
    end: { type: "string", default: "<|im_end|>" },
    "loss-images": { type: "string", default: "100" },
    batch: { type: "string", default: "25" },
    "max-tokens": { type: "string", default: "40" },
    out: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const { rows, images: folder } = options;
if (rows === undefined || folder === undefined) throw new Error("--rows and --images are needed");

using pretrained = await loadPretrained(await resolveModel(options.model), { dtype: options.dtype as DType });
const byImage = Map.groupBy(await readRows(rows), (row) => row.images[0]!.name);
const images = [...byImage].map(([image, of]) => ({
  image,
  captions: of.map(({ conversations }) => conversations[1]!.value),
}));
const heldOut = new HeldOut(pretrained, folder);
const prompt = heldOut.promptIds(options.prompt);

const lossImages = images.slice(0, Number(options["loss-images"]));
const loss = await heldOut.captionLosses(lossImages, prompt, options.end);
const answers = await heldOut.answers(
  "captions",
  images.map(({ image }) => ({ image, inputIds: prompt })),
  { maxTokens: Number(options["max-tokens"]), batch: Number(options.batch) },
);
const predictions = new Map(images.map(({ image }, i) => [image, answers[i]!]));
const references = new Map(images.map(({ image, captions }) => [image, captions]));
const { scores } = evaluateCaptions(predictions, references);
if (options.out !== undefined)
  writeFileSync(options.out, `${JSON.stringify(Object.fromEntries(predictions), null, 1)}\n`);

const report = {
  model: options.model,
  dtype: options.dtype,
  images: images.length,
  lossImages: lossImages.length,
  lossTrueImage: loss.own,
  lossOtherImage: loss.other,
  lossGap: loss.other - loss.own,
  ...scores,
};
if (options.json) console.log(JSON.stringify(report));
else
  for (const [name, value] of Object.entries(report))
    console.log(`${name.padEnd(16)} ${typeof value === "number" ? Number(value.toFixed(4)) : value}`);
