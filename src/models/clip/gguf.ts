import type { GgufHeader } from "../../checkpoint/index.ts";
import { transformerFromGguf } from "../vision-gguf.ts";
import type { ClipVisionConfig } from "./config.ts";

/** The tower that a file (`mmproj`) describes. @throws LlavaError "config" naming the key */
export function clipFromGguf(header: GgufHeader, path: string): ClipVisionConfig {
  const { isQuick, ...sizes } = transformerFromGguf(header, path);
  return { family: "clip", ...sizes, numChannels: 3, hiddenAct: isQuick ? "quick_gelu" : "gelu" };
}
