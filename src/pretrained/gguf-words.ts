/** Words of this project in GGUF files, beside those of the format; other readers pass over them. */

/** transformers' text_config, as JSON: what the format has no words for, such as how rotary frequencies were scaled. */
export const TEXT_CONFIG = "llava.text_config";
/** preprocessor_config.json, as JSON. */
export const IMAGE_PROCESSOR = "llava.image_processor";
