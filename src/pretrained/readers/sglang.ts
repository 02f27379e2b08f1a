import { existsSync } from "node:fs";
import { join } from "node:path";
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

const FLAT = [
  "LlavaLlamaForCausalLM",
  "LlavaQwenForCausalLM",
  "LlavaMistralForCausalLM",
  "LlavaVidForCausalLM",
];
const NESTED = "LlavaForConditionalGeneration";
const ASPECTS = /^(?:square|pad|anyres|anyres_max_\d+)$/;
const TO_ORIGINAL = "Write it in the original layout: llava convert FOLDER --to original --output NEW.";

const isFlat = (checkpoint: StoredCheckpoint): boolean => FLAT.includes(architectureOf(checkpoint) ?? "");
const isNested = (checkpoint: StoredCheckpoint): boolean => architectureOf(checkpoint) === NESTED;

const flat = rulesFor(isFlat);
const nested = rulesFor(isNested);
const either = rulesFor((checkpoint) => isFlat(checkpoint) || isNested(checkpoint));

/** Names that it renames into its modules, or hands to the language model; the frames' resampler is LlavaVid's. */
const PARTS = /projector|vision_tower|image_newline/;
const RENAMED =
  /^(?:model\.mm_projector\.[02]\.(?:weight|bias)|model\.vision_tower\.vision_tower\..+|model\.image_newline)$/;
const OF_VIDEO = /^model\.vision_resampler\.mm_projector\.[02]\.(?:weight|bias)$/;
const DECODER = /^(?:model\.(?:layers|embed_tokens|norm)\.|lm_head\.)/;

/** sglang/srt/models/{llava,llavavid}.py and srt/multimodal/processors/llava.py. */
export const sglang: Reader = {
  name: "SGLang",
  version: "0.5.23",
  rules: [
    {
      name: "architecture",
      check: (checkpoint) =>
        isFlat(checkpoint) || isNested(checkpoint)
          ? []
          : [
              refused(
                `architectures is ${shown(checkpoint.config["architectures"])}; it has ${[...FLAT, NESTED].join(", ")}`,
                TO_ORIGINAL,
              ),
            ],
    },
    either("model type", ({ config: { model_type: type } }) => {
      if (type === "llava") return [];
      const override = `--json-model-override-args '{"model_type": "llava"}'`;
      return [
        warning(
          `model_type is ${shown(type)}, which transformers does not know`,
          `Start it with ${override}.`,
        ),
      ];
    }),
    flat("fields of the tower", ({ config }) =>
      [
        "mm_vision_tower",
        "mm_hidden_size",
        "hidden_size",
        "mm_vision_select_layer",
        "mm_vision_select_feature",
      ]
        .filter((name) => config[name] === undefined)
        .map((name) => refused(`${name} is missing from config.json`, TO_ORIGINAL)),
    ),
    flat("name of the tower", ({ config: { mm_vision_tower: tower } }) =>
      typeof tower !== "string" || /clip|siglip/.test(tower)
        ? []
        : [
            refused(
              `mm_vision_tower is ${shown(tower)}; what kind it is, is read from its name: one with clip or siglip in it`,
              "Put the tower's weights in a folder of such a name, and name that.",
            ),
          ],
    ),
    flat("place of the tower", ({ folder, config: { mm_vision_tower: tower } }) =>
      typeof tower === "string" && existsSync(join(folder, tower))
        ? [
            warning(
              `mm_vision_tower ${shown(tower)} is a folder beside the weights; it is looked for in the folder that the server runs in, or on the hub`,
              "Start the server in the checkpoint's folder, or give the path whole.",
            ),
          ]
        : [],
    ),
    flat("features of the tower", ({ config: { mm_vision_select_feature: feature } }) =>
      feature === undefined || ["patch", "full", "cls_patch"].includes(String(feature))
        ? []
        : [
            refused(
              `mm_vision_select_feature is ${shown(feature)}; expected patch, full or cls_patch`,
              TO_ORIGINAL,
            ),
          ],
    ),
    flat("way of images", ({ config }) => {
      const aspect = config["image_aspect_ratio"] ?? "square";
      if (!ASPECTS.test(String(aspect)))
        return [
          warning(
            `image_aspect_ratio is ${shown(aspect)}: images are cropped to a square; known are square, pad, anyres, anyres_max_N`,
            "Answers can differ from this project's.",
          ),
        ];
      const points = config["image_grid_pinpoints"];
      return String(aspect).startsWith("anyres") && !Array.isArray(points) && typeof points !== "string"
        ? [
            refused(
              `image_grid_pinpoints is ${shown(points)} beside image_aspect_ratio ${shown(aspect)}`,
              TO_ORIGINAL,
            ),
          ]
        : [];
    }),
    flat("newline", ({ config, tensors }) => {
      const isWanted = String(config["mm_patch_merge_type"] ?? "flat").includes("unpad");
      const isThere = tensors.includes("model.image_newline");
      if (isWanted === isThere) return [];
      const merge = shown(config["mm_patch_merge_type"]);
      return isWanted
        ? [
            refused(
              `mm_patch_merge_type is ${merge} without model.image_newline: it stays as memory has it`,
              TO_ORIGINAL,
            ),
          ]
        : [
            refused(
              "model.image_newline has no place without unpad in mm_patch_merge_type",
              "Leave the tensor out, or name the merge that the model learnt with.",
            ),
          ];
    }),
    flat("tensor names", (checkpoint) => {
      const isVideo = architectureOf(checkpoint) === "LlavaVidForCausalLM";
      const unknown = checkpoint.tensors.filter((name) =>
        PARTS.test(name) ? !RENAMED.test(name) && !(isVideo && OF_VIDEO.test(name)) : !DECODER.test(name),
      );
      if (unknown.length === 0) return [];
      const message = `${unknown.length} tensors have no place: ${few(unknown)}`;
      return [
        isVideo ? warning(`${message}; they are left out`, TO_ORIGINAL) : refused(message, TO_ORIGINAL),
      ];
    }),
    nested("features of the tower", ({ config }) => {
      const strategy = config["vision_feature_select_strategy"] ?? "full";
      return ["patch", "full", "cls_patch"].includes(String(strategy))
        ? []
        : [
            refused(
              `vision_feature_select_strategy is ${shown(strategy)}; its loader has patch, full and cls_patch`,
              `${TO_ORIGINAL.slice(0, -1)}; or start it with --json-model-override-args '{"vision_feature_select_strategy": "patch"}'.`,
            ),
          ];
    }),
    nested("tensor names", ({ tensors }) => {
      const unknown = tensors.filter(
        (name) => !/^(?:language_model|vision_tower|multi_modal_projector)\./.test(name),
      );
      return unknown.length === 0
        ? []
        : [
            refused(
              `${unknown.length} tensors have no place: ${few(unknown)}; expected language_model., vision_tower. and multi_modal_projector.`,
              TO_ORIGINAL,
            ),
          ];
    }),
    either("processor", (checkpoint) => {
      const missing = ["preprocessor_config.json", "tokenizer_config.json"].filter(
        (name) => !checkpoint.has(name),
      );
      return missing.map((name) =>
        warning(
          `${name} is missing, by which images and text are prepared`,
          "Start it with --tokenizer-path and a repository that has them.",
        ),
      );
    }),
  ],
};
