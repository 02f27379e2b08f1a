import type { GgufHeader } from "../../checkpoint/index.ts";
import type { VisionTowerFamily } from "../family.ts";
import { describeTransformer, transformerFromGguf, transformerNames } from "../vision-gguf.ts";
import type { SiglipVisionConfig } from "./config.ts";

/** The tower that a file (`mmproj`) describes: its readers know GELU by the hyperbolic tangent alone. */
function siglipFromGguf(header: GgufHeader, path: string): SiglipVisionConfig {
  const { isQuick, ...sizes } = transformerFromGguf(header, path);
  return { family: "siglip", ...sizes, numChannels: 3, hiddenAct: isQuick ? "quick_gelu" : "gelu_tanh" };
}

export const siglipGguf: NonNullable<VisionTowerFamily["gguf"]> = {
  names: transformerNames,
  isIn: ({ tensors }) => tensors.has("v.patch_embd.bias") && !tensors.has("v.class_embd"),
  parseConfig: siglipFromGguf,
  describe: (config: SiglipVisionConfig) =>
    describeTransformer(config, { isQuick: config.hiddenAct === "quick_gelu" }),
};
