/** A LLaVA-1.5 in small that `llava serve`, transformers and llama.cpp all load. */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { convertModel, loadCheckpoint } from "../../src/pretrained/index.ts";
import { type CheckpointSizes, writeRandomCheckpoint } from "../random-checkpoint.ts";

/** A CLIP-B/32 and a Llama of 156 million weights. */
const sizes: CheckpointSizes = {
  text: { hidden: 576, intermediate: 1536, layers: 30, heads: 9 },
  vision: { hidden: 768, intermediate: 3072, layers: 12, heads: 12, imageSize: 224, patchSize: 32 },
};

/** How Vicuna's conversations are rendered. */
const template = `{% for message in messages %}{{ message['role'].upper() + ': ' }}\
{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\\n' }}{% endfor %}\
{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] + ' ' }}{% endfor %}{% endfor %}\
{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}`;

/** Random weights in Hugging Face's layout; `tokenizer` is the folder of a Llama 2's or Vicuna's. */
export function writeServedCheckpoint(folder: string, tokenizer: string): void {
  writeRandomCheckpoint(folder, sizes, tokenizer);
  const { imageSize, patchSize } = sizes.vision;
  const files = {
    "processor_config.json": {
      processor_class: "LlavaProcessor",
      image_token: "<image>",
      num_additional_image_tokens: 1,
      patch_size: patchSize,
      vision_feature_select_strategy: "default",
      image_processor: {
        image_processor_type: "CLIPImageProcessor",
        ...{
          do_resize: true,
          do_center_crop: true,
          do_rescale: true,
          do_normalize: true,
          do_convert_rgb: true,
        },
        ...{ crop_size: { height: imageSize, width: imageSize }, size: { shortest_edge: imageSize } },
        ...{ resample: 3, rescale_factor: 1 / 255 },
        image_mean: [0.48145466, 0.4578275, 0.40821073],
        image_std: [0.26862954, 0.26130258, 0.27577711],
      },
    },
    // No token ends an answer: all servers say as many as they are asked for.
    "generation_config.json": { bos_token_id: 1, eos_token_id: null, pad_token_id: 0 },
  };
  for (const [name, json] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(json));
  writeFileSync(join(folder, "chat_template.jinja"), template);
}

/** Its pair of GGUF files, of the language model and of what it sees with, with matrices of a type. */
export async function writeGgufPair(
  source: string,
  output: string,
  type: "f32" | "f16" | "bf16",
): Promise<readonly [text: string, eye: string]> {
  using pretrained = await loadCheckpoint(source);
  const { files } = convertModel(pretrained, { to: "gguf", output, maxShardBytes: 5e9, type });
  const paths = files.map((file) => join(output, basename(file)));
  const isEye = (path: string): boolean => basename(path).startsWith("mmproj-");
  return [paths.find((path) => !isEye(path))!, paths.find(isEye)!];
}
