import type { JsonObject } from "../../files/index.ts";
import {
  architectureOf,
  few,
  type Reader,
  refused,
  rulesFor,
  type StoredCheckpoint,
  shown,
  warning,
} from "./rule.ts";

const ARCHITECTURES = [
  "LlavaForConditionalGeneration",
  "LlavaNextForConditionalGeneration",
  "LlavaNextVideoForConditionalGeneration",
  "LlavaOnevisionForConditionalGeneration",
];
const TO_HF = "Write it in Hugging Face's layout: llava convert FOLDER --to hf --output NEW.";

/** Sizes of a head that its attention on CPUs has kernels for. */
const CPU_HEADS = [32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512];

/** Prefixes of the two layouts that its names are mapped from; a tower's follow the class of its module. */
const NAMES =
  /^(?:model\.)?(?:vision_tower\.vision_model\.|multi_modal_projector\.|image_newline$)|^language_model\.(?:model\.|lm_head\.)|^model\.language_model\.|^lm_head\./;

const part = ({ config }: StoredCheckpoint, name: string): JsonObject | undefined => {
  const value = config[name];
  return typeof value === "object" && value !== null ? (value as JsonObject) : undefined;
};

const isRegistered = (checkpoint: StoredCheckpoint): boolean =>
  ARCHITECTURES.includes(architectureOf(checkpoint) ?? "");

const registered = rulesFor(isRegistered);

/** vllm/model_executor/models/{registry,llava,llava_next,clip}.py and v1/attention/backends/cpu_attn.py. */
export const vllm: Reader = {
  name: "vLLM",
  version: "0.32",
  rules: [
    {
      name: "architecture",
      check: (checkpoint) =>
        isRegistered(checkpoint)
          ? []
          : [
              refused(
                `architectures is ${shown(checkpoint.config["architectures"])}; it has ${ARCHITECTURES.join(", ")}`,
                TO_HF,
              ),
            ],
    },
    registered("configurations of the parts", (checkpoint) =>
      ["text_config", "vision_config"].flatMap((name) =>
        typeof part(checkpoint, name)?.["model_type"] === "string"
          ? []
          : [refused(`${name}.model_type is missing, by which the part is built`, TO_HF)],
      ),
    ),
    registered("image token", ({ config: { image_token_index: id } }) =>
      typeof id === "number"
        ? []
        : [
            refused(
              `image_token_index is ${shown(id)}; that name is read, not image_token_id`,
              "Add the field to config.json with the id of <image>.",
            ),
          ],
    ),
    registered("features of the tower", ({ config }) => {
      const strategy = config["vision_feature_select_strategy"] ?? "default";
      return strategy === "default" || strategy === "full"
        ? []
        : [
            refused(
              `vision_feature_select_strategy is ${shown(strategy)}; expected default or full`,
              "default leaves the class embedding out, full keeps it.",
            ),
          ];
    }),
    registered("tensor names", ({ tensors }) => {
      const unknown = tensors.filter((name) => !NAMES.test(name));
      return unknown.length === 0
        ? []
        : [
            refused(
              `${unknown.length} tensors have no place: ${few(unknown)}; a tower's names have vision_model. inside`,
              TO_HF,
            ),
          ];
    }),
    registered("processor", (checkpoint) => {
      const missing = ["preprocessor_config.json", "processor_config.json"].filter(
        (name) => !checkpoint.has(name),
      );
      // transformers 5 writes the image processor into processor_config.json.
      const inside = checkpoint.file("processor_config.json")?.["image_processor"] !== undefined;
      const needed = inside ? missing.filter((name) => name !== "preprocessor_config.json") : missing;
      return needed.map((name) => refused(`${name} is missing, by which images are prepared`, TO_HF));
    }),
    registered("image token of the tokenizer", (checkpoint) => {
      const stated = checkpoint.config["image_token_index"];
      if (typeof stated !== "number") return [];
      const tokenizer = checkpoint.file("tokenizer.json");
      if (tokenizer === undefined)
        return [warning("tokenizer.json is missing", "The tokenizer is converted when it is loaded.")];
      const added = (tokenizer["added_tokens"] ?? []) as readonly { content?: unknown; id?: unknown }[];
      const token = checkpoint.file("processor_config.json")?.["image_token"] ?? "<image>";
      const found = added.find(({ content }) => content === token);
      if (found?.id === stated) return [];
      return [
        refused(
          `tokenizer.json has ${shown(token)} as ${shown(found?.id)}; config.json says ${stated}`,
          TO_HF,
        ),
      ];
    }),
    registered("size of heads", (checkpoint) => {
      const text = part(checkpoint, "text_config") ?? {};
      const [hidden, heads] = [text["hidden_size"], text["num_attention_heads"]].map(Number);
      const size = Number(text["head_dim"] ?? hidden! / heads!);
      return Number.isNaN(size) || CPU_HEADS.includes(size)
        ? []
        : [
            warning(
              `heads of ${size} features: its attention on CPUs has ${CPU_HEADS.join(", ")}`,
              "It can serve the model on a GPU.",
            ),
          ];
    }),
  ],
};
