import { placeholder } from "../../nn/index.ts";
import { createLanguageModel, createVisionTower } from "../families.ts";
import type { LlavaConfig } from "./config.ts";
import { Llava } from "./model.ts";
import { FrameConvolution } from "./pack-frames.ts";
import { Projector } from "./projector.ts";

/** Builds the parts that a configuration describes, without weights. */
export function createLlava(config: LlavaConfig): Llava {
  const visionTower = createVisionTower(config.vision, config);
  const { video, pooledChannels } = config;
  const projector = new Projector(config.projector, {
    in: visionTower.hiddenSize,
    out: config.text.hiddenSize,
  });
  return new Llava({
    visionTower,
    projector,
    languageModel: createLanguageModel(config.text),
    imageTokenId: config.imageTokenId,
    ...(pooledChannels !== undefined && {
      visionResampler: new FrameConvolution({
        channels: visionTower.hiddenSize,
        out: pooledChannels,
        stride: video!.pooling.stride,
      }),
    }),
    ...((config.tiling?.merge.order === "unpad" || (video && video.newlines !== "none")) && {
      imageNewline: placeholder([config.text.hiddenSize]),
    }),
  });
}
