import { placeholder } from "../../nn/index.ts";
import { createLanguageModel, createVisionTower } from "../families.ts";
import type { LlavaConfig } from "./config.ts";
import { Llava } from "./model.ts";
import { Projector } from "./projector.ts";

/** Builds the parts that a configuration describes, without weights. */
export function createLlava(config: LlavaConfig): Llava {
  const visionTower = createVisionTower(config.vision, config);
  const projector = new Projector(config.projector, {
    in: visionTower.hiddenSize,
    out: config.text.hiddenSize,
  });
  return new Llava({
    visionTower,
    projector,
    languageModel: createLanguageModel(config.text),
    imageTokenId: config.imageTokenId,
    ...(config.tiling?.merge.order === "unpad" && { imageNewline: placeholder([config.text.hiddenSize]) }),
  });
}
