import { ANY_NEUTRAL, type Neutral } from "../config-coverage.ts";

/** Of LLaVA in the original layout. */
export const ORIGINAL_NEUTRAL: Neutral = {
  s2: [false],
  mm_use_s2: [false],
  use_mm_proj: [true],
  mm_use_x_start_end: [false],
  mm_vision_num_query_token: [],
  mm_compressor: [],
  mm_vision_tower_aux: [],
  mm_vision_tower_aux_list: ["[]"],
};

/** Of LLaVA in Hugging Face's. */
export const HUGGING_FACE_NEUTRAL: Neutral = {
  ...ANY_NEUTRAL,
  use_image_newline_parameter: [false],
  vision_aspect_ratio: [],
  spatial_merge_size: [1],
  projector_layernorm_eps: [],
  vision_feature_layers: [],
  image_grid_pinpoints: ["[]"],
};
