import type { PretrainedLlava } from "../../pretrained/index.ts";
import { loadImage } from "../../processing/image/index.ts";
import { fromTyped, inference, scope } from "../../torch/index.ts";
import { unit } from "../likeness/index.ts";
import { builtInEmbedder } from "./built-in.ts";
import type { Embedder } from "./embedder.ts";

/**
 * Images by the mean of what a model's vision tower sees of them, of length 1; texts by their words.
 * @param name what the vectors are kept under: the model's own
 */
export const towerEmbedder = ({ model, processor }: PretrainedLlava, name: string): Embedder => ({
  id: `vision tower of ${name}, texts built-in`,
  texts: builtInEmbedder.texts,
  async images(images, signal) {
    const vectors: Float32Array[] = [];
    for (const { image } of images) {
      signal.throwIfAborted();
      const { data, height, width } = processor.pixels(await loadImage(image));
      vectors.push(
        inference(() =>
          scope(() => {
            const tiles = data.length / (3 * height * width);
            const pixels = fromTyped(data, { dtype: "float32", shape: [tiles, 3, height, width] });
            const features = model.visionTower.forward(pixels).to("float32").mean([0, 1]);
            return unit(new Float32Array(new Uint8Array(features.contiguous().toBytes()).buffer));
          }),
        ),
      );
    }
    return vectors;
  },
});
