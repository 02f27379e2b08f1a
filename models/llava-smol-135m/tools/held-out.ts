/** What the scripts that measure a model on held-out photos share: features once a photo, losses, greedy answers. */
import { join } from "node:path";
import { createProgress } from "../../../src/cli/index.ts";
import { beamSearch, generateBatch } from "../../../src/generation/index.ts";
import type { PretrainedLlava } from "../../../src/pretrained/index.ts";
import type { PromptPiece } from "../../../src/processing/conversation/index.ts";
import { loadImage } from "../../../src/processing/image/index.ts";
import {
  crossEntropy,
  fromTyped,
  inference,
  keep,
  longTensor,
  scope,
  stack,
  type Tensor,
} from "../../../src/torch/index.ts";

export interface CaptionedImage {
  readonly image: string;
  readonly captions: readonly string[];
}

/** A model and what its tower sees of some photos, computed once however often they are asked about. */
export class HeldOut {
  readonly pretrained: PretrainedLlava;
  readonly #folder: string;
  readonly #features = new Map<string, Tensor>();

  constructor(pretrained: PretrainedLlava, folder: string) {
    this.pretrained = pretrained;
    this.#folder = folder;
  }

  /** Runs the tower over the images that it has not seen. */
  async look(images: readonly string[]): Promise<void> {
    const fresh = images.filter((image) => !this.#features.has(image));
    const bar = createProgress({ label: "images", total: fresh.length, unit: "images" });
    const { model, processor } = this.pretrained;
    for (let start = 0; start < fresh.length; start += 20) {
      const chunk = fresh.slice(start, start + 20);
      const decoded = await Promise.all(chunk.map((image) => loadImage(join(this.#folder, image))));
      inference(() =>
        scope(() => {
          const pixels = decoded.map((image) => {
            const { data, height, width } = processor.pixels(image);
            return fromTyped(data, { dtype: "float32", shape: [3, height, width] });
          });
          const features = model.encodeImages(stack(pixels));
          for (const [i, image] of chunk.entries())
            this.#features.set(image, keep(features.slice(0, i, i + 1).clone()));
        }),
      );
      bar.update(start + chunk.length);
    }
    bar.stop();
  }

  /** Ids before an answer: the bare image without a question, an unillustrated question where `blind`. */
  promptIds(text: string | undefined, { blind = false } = {}): number[] {
    const { processor } = this.pretrained;
    const image = blind ? [] : [{ type: "image" } as const];
    const pieces: PromptPiece[] =
      text === undefined
        ? [{ image: 0 }]
        : processor.promptFormat.render([{ role: "user", content: [...image, { type: "text", text }] }]);
    return processor.encodePrompt(pieces, [processor.layoutOf()]).inputIds;
  }

  /** Greedy answers, or those of beam search, in the order of the questions. */
  async answers(
    label: string,
    asked: readonly { readonly image: string; readonly inputIds: readonly number[] }[],
    { blind = false, maxTokens = 40, batch = 32, beams = 1 } = {},
  ): Promise<string[]> {
    if (!blind) await this.look([...new Set(asked.map(({ image }) => image))]);
    const answers: string[] = [];
    const bar = createProgress({ label, total: asked.length, unit: "answers" });
    for (let start = 0; start < asked.length; start += batch) {
      const chunk = asked.slice(start, start + batch);
      const inputs = chunk.map(({ image, inputIds }) => ({
        inputIds,
        ...(!blind && { imageFeatures: this.#features.get(image)! }),
        temperature: 0,
        maxTokens,
      }));
      if (beams > 1)
        answers.push(
          ...(await beamSearch(this.pretrained, inputs, { beams })).map(({ text }) => text.trim()),
        );
      else
        for await (const { row, part } of generateBatch(this.pretrained, inputs))
          if (part.type === "finish") answers[start + row] = part.output.text.trim();
      bar.update(start + chunk.length);
    }
    bar.stop();
    return answers;
  }

  /** Nats per token of each image's first caption and its end, after its own image and after that of the next one. */
  async captionLosses(
    chosen: readonly CaptionedImage[],
    prompt: readonly number[],
    end: string,
  ): Promise<{ own: number; other: number }> {
    await this.look(chosen.map(({ image }) => image));
    const { model, processor } = this.pretrained;
    const { tokenizer } = processor;
    const endId = tokenizer.specialTokens.get(end);
    const sums = { own: 0, other: 0, tokens: 0 };
    for (const [i, { captions }] of chosen.entries()) {
      const text = captions[0]!;
      const target = endId === undefined ? tokenizer.encode(text + end) : [...tokenizer.encode(text), endId];
      const ids = [...prompt, ...target];
      const lossWith = ({ image }: CaptionedImage) =>
        inference(() =>
          scope(() => {
            const features = this.#features.get(image)!;
            const inputs = model.embed(longTensor(ids, [1, ids.length]), { features });
            const hidden = model.languageModel.forward(inputs).slice(1, prompt.length - 1, -1);
            const logits = model.languageModel.logits(hidden).to("float32").flatten(0, 1);
            return crossEntropy(logits, longTensor(target), "sum").item();
          }),
        );
      sums.own += lossWith(chosen[i]!);
      sums.other += lossWith(chosen[(i + 1) % chosen.length]!);
      sums.tokens += target.length;
    }
    return { own: sums.own / sums.tokens, other: sums.other / sums.tokens };
  }
}
