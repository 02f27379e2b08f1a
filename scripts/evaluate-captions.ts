/**
 * Measures how well a model captions images it has not seen: the loss of reference captions with the true image and
 * with another one, and CIDEr and BLEU-4 of its own greedy captions.
 *
 *   node scripts/evaluate-captions.ts --rows test.json --images FOLDER [--model NAME] [--loss-images 100] [--json]
 *
 * The rows are LLaVA JSON, one caption a row (scripts/flickr8k.ts writes them); captions follow the bare image, or,
 * with --prompt, a question in the model's chat template.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createProgress } from "../src/cli/index.ts";
import { imagesOfRow, readRows } from "../src/data/index.ts";
import { evaluateCaptions } from "../src/evaluation/index.ts";
import { generateBatch } from "../src/generation/index.ts";
import { loadPretrained, type PretrainedLlava } from "../src/models/index.ts";
import { type PromptPiece, tokenizePrompt } from "../src/processing/conversation/index.ts";
import { loadImage, preprocess } from "../src/processing/image/index.ts";
import { defaultModel, resolveModel } from "../src/setup/index.ts";
import {
  cat,
  crossEntropy,
  type DType,
  fromTyped,
  inference,
  longTensor,
  scope,
  stack,
  type Tensor,
} from "../src/torch/index.ts";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: defaultModel },
    rows: { type: "string" },
    images: { type: "string" },
    prompt: { type: "string" },
    dtype: { type: "string", default: "bfloat16" },
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
interface CaptionedImage {
  readonly image: string;
  readonly captions: readonly string[];
}
const byImage = Map.groupBy(await readRows(rows), (row) => imagesOfRow(row)[0]!);
const images: CaptionedImage[] = [...byImage].map(([image, of]) => ({
  image,
  captions: of.map(({ conversations }) => conversations[1]!.value),
}));
const prompt = promptIds(pretrained);

const lossImages = images.slice(0, Number(options["loss-images"]));
const loss = await meanLosses(lossImages);
const predictions = await captions(images);
const references = new Map(images.map(({ image, captions }) => [image, captions]));
const { scores } = evaluateCaptions(predictions, references);
if (options.out !== undefined)
  writeFileSync(options.out, `${JSON.stringify(Object.fromEntries(predictions), null, 1)}\n`);

const report = {
  model: options.model,
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

/** Ids before a caption. */
function promptIds({ tokenizer, model, promptFormat }: PretrainedLlava): number[] {
  const text = options.prompt;
  const pieces: PromptPiece[] =
    text === undefined
      ? [{ image: 0 }]
      : promptFormat.render([
          {
            role: "user",
            content: [
              { type: "image", image: "" },
              { type: "text", text },
            ],
          },
        ]);
  const imageTokens = () => model.visionTower.tokens;
  return tokenizePrompt(pieces, tokenizer, { imageTokens, imageTokenId: model.imageTokenId }).inputIds;
}

async function pixelsOf(chunk: readonly CaptionedImage[]): Promise<Tensor> {
  const decoded = await Promise.all(chunk.map(({ image }) => loadImage(join(folder!, image))));
  return scope(() =>
    stack(
      decoded.map((image) => {
        const { data, height, width } = preprocess(image, pretrained.imageProcessor);
        return fromTyped(data, { dtype: "float32", shape: [3, height, width] });
      }),
    ),
  );
}

/** Nats per token of each image's first caption and its end, after its own image and after that of the next row. */
async function meanLosses(chosen: readonly CaptionedImage[]): Promise<{ own: number; other: number }> {
  const { model, tokenizer } = pretrained;
  const end = tokenizer.specialTokens.get(options.end);
  const parts: Tensor[] = [];
  for (let start = 0; start < chosen.length; start += 20) {
    using pixels = await pixelsOf(chosen.slice(start, start + 20));
    parts.push(inference(() => scope(() => model.project(model.encodeImages(pixels)))));
  }
  using projected = inference(() => cat(parts));
  const sums = { own: 0, other: 0, tokens: 0 };
  for (const [i, { captions }] of chosen.entries()) {
    const text = captions[0]!;
    const target =
      end === undefined ? tokenizer.encode(text + options.end) : [...tokenizer.encode(text), end];
    const ids = [...prompt, ...target];
    const lossWith = (row: number) =>
      inference(() =>
        scope(() => {
          const inputs = model.spliceImages(
            longTensor(ids, [1, ids.length]),
            projected.slice(0, row, row + 1),
          );
          const hidden = model.languageModel.forward(inputs).slice(1, prompt.length - 1, -1);
          const logits = model.languageModel.logits(hidden).to("float32").flatten(0, 1);
          return crossEntropy(logits, longTensor(target), "sum").item();
        }),
      );
    sums.own += lossWith(i);
    sums.other += lossWith((i + 1) % chosen.length);
    sums.tokens += target.length;
  }
  for (const part of parts) part.dispose();
  return { own: sums.own / sums.tokens, other: sums.other / sums.tokens };
}

/** Greedy captions by image name. */
async function captions(all: readonly CaptionedImage[]): Promise<Map<string, string>> {
  const size = Number(options.batch);
  const answers = new Map<string, string>();
  const bar = createProgress({ label: "captions", total: all.length, unit: "images" });
  for (let start = 0; start < all.length; start += size) {
    const chunk = all.slice(start, start + size);
    using pixels = await pixelsOf(chunk);
    const inputs = chunk.map((_, i) => ({
      inputIds: prompt,
      pixelValues: pixels.slice(0, i, i + 1),
      temperature: 0,
      maxTokens: Number(options["max-tokens"]),
    }));
    for await (const { row, part } of generateBatch(pretrained, inputs))
      if (part.type === "finish") answers.set(chunk[row]!.image, part.output.text.trim());
    for (const { pixelValues } of inputs) pixelValues.dispose();
    bar.update(answers.size);
  }
  bar.stop();
  return answers;
}
