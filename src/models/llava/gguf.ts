import { type GgufDialect, type GgufHeader, type GgufValue, naming } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { describeGgufTower, ggufTower, gridOf } from "../families.ts";
import { EYE_ARCHITECTURE, eyeKey, positiveIn, shortestFloat32 } from "../gguf-values.ts";
import { WHOLE_LAYERS } from "../vision-gguf.ts";
import type { LlavaConfig } from "./config.ts";
import type { ProjectorConfig } from "./projector-config.ts";
import { huggingFaceTiling, originalTiling, originalTilingWords } from "./tiling.ts";

/** The file beside a language model's (`mmproj`), in which llama.cpp keeps a LLaVA's vision tower and projector. */

/** The layout that a file was made from, of which image sizes are read and rounded by the rules. */
export type SourceLayout = "hf" | "original";
const LAYOUT = "llava.layout";

/** Tensors that a file keeps, though they are not run, have this before their canonical names without `model`. */
const UNUSED = "unused.";

const TOWER = "model.vision_tower.";
const around = naming(
  [
    "mm.#.",
    "model.multi_modal_projector.linear_#.",
    {
      rest: "(?:weight|bias)$",
      number: {
        read: (place) => (place % 2 === 0 ? place / 2 + 1 : undefined),
        write: (layer) => 2 * (layer - 1),
      },
    },
  ],
  ["v.image_newline", "model.image_newline", { rest: "$" }],
  ["model.image_newline", "model.image_newline", { rest: "$" }], // as the first converters wrote it
  [UNUSED, "model."],
);

/** Stored names and canonical ones, around a tower whose own are `inside`. */
function namesAround(inside: GgufDialect["names"]): GgufDialect["names"] {
  return {
    read: (stored) => {
      const own = inside.read(stored);
      return own === undefined ? around.read(stored) : TOWER + own;
    },
    write: (canonical) =>
      canonical.startsWith(TOWER) ? inside.write(canonical.slice(TOWER.length)) : around.write(canonical),
  };
}

/** Layers of the tower, from the embeddings on, whose features are taken. */
const featureIndices = ({ featureLayers, vision: { numLayers } }: LlavaConfig): number[] =>
  featureLayers.map((layer) => (layer < 0 ? numLayers + 1 + layer : layer));

export interface GgufEye {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** The stored name of a canonical one; of tensors that are not run too. */
  nameOf(canonical: string): string | undefined;
  /** What readers do in another way than the model was trained, whatever the file says. */
  readonly notes: readonly string[];
}

/** @throws LlavaError "usage" naming what such a file has no words for */
function refuseInexpressible(
  { projector, tiling, grid, useImageStartEnd }: LlavaConfig,
  layers: number[],
): void {
  const refuse = (what: string, why: string): never => {
    throw new LlavaError("usage", `a GGUF file cannot hold ${what}`, { hint: why });
  };
  if (projector.type !== "mlp" || projector.depth !== 2)
    refuse(
      `a projector of ${projector.depth} layer${projector.depth === 1 ? "" : "s"} (mm_projector_type)`,
      "Its readers know one of two layers with GELU between them, and run a single layer with a GELU behind it.",
    );
  if (projector.act !== "gelu")
    refuse(`a projector with ${projector.act} (projector_hidden_act)`, "Its readers compute GELU.");
  if (!projector.bias)
    refuse("a projector without bias (multimodal_projector_bias)", "Its readers need one.");
  if (grid.extra > 0)
    refuse(
      "features with the class token (vision_feature_select_strategy)",
      "Its readers take the patches alone.",
    );
  if (useImageStartEnd)
    refuse(
      "images between <im_start> and <im_end> (mm_use_im_start_end)",
      "Its readers know no such tokens.",
    );
  if (layers.some((layer, i) => i > 0 && layer <= layers[i - 1]!))
    refuse(
      "features of layers out of order (vision_feature_layer)",
      "Its readers take them from the first on.",
    );
  if (layers.includes(0))
    refuse("features of the embeddings (vision_feature_layer 0)", "Its readers take them behind layers.");
  if (tiling && (!tiling.merge.overview || tiling.merge.order === "maxpool2x2"))
    refuse(
      "tiles without an overview, or pooled ones (mm_patch_merge_type)",
      "Its readers have no word for them.",
    );
}

/** All that the file beside a language model says. @throws LlavaError "usage" naming what it has no words for */
export function describeEye(
  config: LlavaConfig,
  {
    layout,
    pad,
    normalize,
  }: {
    layout: SourceLayout;
    pad: boolean;
    normalize: { readonly mean: readonly number[]; readonly std: readonly number[] };
  },
): GgufEye {
  const layers = featureIndices(config);
  refuseInexpressible(config, layers);
  const { tiling } = config;
  const deepest = Math.max(...layers);
  const { names: inside, metadata, notes } = describeGgufTower(config.vision);
  const { write } = namesAround(inside);
  const words = tiling && originalTilingWords(tiling);
  const tiles: [string, GgufValue][] = words
    ? [
        [
          eyeKey("vision.image_grid_pinpoints"),
          Int32Array.from(tiling.resolutions.flatMap(({ width, height }) => [width, height])),
        ],
        [eyeKey("vision.mm_patch_merge_type"), words.mm_patch_merge_type],
        [eyeKey("vision.image_crop_resolution"), tiling.side],
        [eyeKey("vision.image_split_resolution"), tiling.side],
      ]
    : [];
  return {
    metadata: new Map<string, GgufValue>([
      ["general.architecture", EYE_ARCHITECTURE],
      ["general.type", "mmproj"],
      [eyeKey("has_vision_encoder"), true],
      [eyeKey("has_llava_projector"), true],
      [eyeKey("projector_type"), "mlp"],
      ...metadata,
      [eyeKey("vision.block_count"), deepest],
      [eyeKey("vision.feature_layer"), Int32Array.from(layers)],
      [eyeKey("vision.projection_dim"), config.text.hiddenSize],
      [eyeKey("vision.image_mean"), Float32Array.from(normalize.mean)],
      [eyeKey("vision.image_std"), Float32Array.from(normalize.std)],
      [eyeKey("vision.mm_projector_type"), "mlp2x_gelu"],
      [eyeKey("vision.image_aspect_ratio"), words?.image_aspect_ratio ?? (pad ? "pad" : "square")],
      ...tiles,
      [LAYOUT, layout],
      [WHOLE_LAYERS, config.vision.numLayers],
    ]),
    notes: [
      ...notes,
      ...(tiling && tiling.merge.order !== "flat"
        ? [
            "tiles are joined by llama.cpp without cutting padding off and without newlines: it sees other tokens",
          ]
        : []),
      ...(tiling || pad ? [] : ["images are padded to squares by llama.cpp, which this model has cropped"]),
    ],
    nameOf(canonical) {
      const layer = /^model\.vision_tower\.encoder\.layers\.(\d+)\./.exec(canonical)?.[1];
      const name = Number(layer ?? -1) < deepest ? write(canonical) : undefined;
      const kept = name ?? around.write(canonical);
      return kept !== undefined && Buffer.byteLength(kept) <= LONGEST_NAME ? kept : undefined;
    },
  };
}

/** Of tensors, in bytes, as ggml has it. */
const LONGEST_NAME = 63;

/** How the file beside a language model's calls tensors; the first converters exchanged the tower's feed-forward layers. */
export function eyeDialect(architecture: unknown, header: GgufHeader): GgufDialect | undefined {
  const tower = ggufTower(header);
  if (architecture !== EYE_ARCHITECTURE || tower === undefined) return undefined;
  const names = namesAround(tower.names);
  if (!areExchanged(header)) return { names };
  const exchange = (name: string) =>
    name.replace(
      /^(v\.blk\.\d+\.ffn_)(up|down)\./,
      (_, start, which) => `${start}${which === "up" ? "down" : "up"}.`,
    );
  return { names: { read: (stored) => names.read(exchange(stored)), write: names.write } };
}

function areExchanged({ tensors, metadata }: GgufHeader): boolean {
  const width = metadata.get(eyeKey("vision.embedding_length"));
  const [rows, columns] = tensors.get("v.blk.0.ffn_down.weight")?.shape ?? [];
  return columns === width && rows !== width;
}

/** A LLaVA's configuration but for its language model, as the file beside that says. @throws LlavaError "config" */
export function eyeFromGguf(header: GgufHeader, path: string) {
  const { metadata, tensors } = header;
  const tower = ggufTower(header);
  if (metadata.get(eyeKey("has_vision_encoder")) !== true || tower === undefined)
    throw new LlavaError("config", `${path}: holds no vision tower of a kind that is known here`, {
      hint: "Give the mmproj file of a LLaVA.",
    });
  const projectorType = metadata.get(eyeKey("projector_type")) ?? "mlp";
  if (projectorType !== "mlp" || tensors.has("mm.3.weight") || !tensors.has("mm.2.weight"))
    throw new LlavaError(
      "config",
      `${path}: its projector (${String(projectorType)}) is not LLaVA's of two layers`,
      { hint: "Files with other projectors are not read." },
    );
  if (tensors.has("v.post_ln.weight"))
    throw new LlavaError("config", `${path}: v.post_ln brings features through a norm, which LLaVA has not`, {
      hint: "Give the mmproj file of a LLaVA.",
    });
  const vision = tower.parseConfig(header, path);
  const selectStrategy = gridOf(vision, "full").extra > 0 ? ("patch" as const) : ("full" as const);
  const grid = gridOf(vision, selectStrategy);
  const layout: SourceLayout = metadata.get(LAYOUT) === "hf" ? "hf" : "original";
  const aspect = String(metadata.get(eyeKey("vision.image_aspect_ratio")) ?? "pad");
  const flat = (metadata.get(eyeKey("vision.image_grid_pinpoints")) ?? []) as number[];
  const pairs = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
  const eye = { imageSize: vision.imageSize, grid };
  const isTiled = pairs.length > 0 && /^anyres/.test(aspect);
  const tiling = !isTiled
    ? undefined
    : layout === "hf"
      ? huggingFaceTiling(
          aspect === "anyres" ? "llava_next" : "llava_onevision",
          {
            image_grid_pinpoints: pairs.map(([width, height]) => [height, width]),
            ...(aspect !== "anyres" && { vision_aspect_ratio: aspect }),
          },
          eye,
          path,
        )
      : originalTiling(
          {
            image_grid_pinpoints: pairs,
            image_aspect_ratio: aspect,
            mm_patch_merge_type: metadata.get(eyeKey("vision.mm_patch_merge_type")) ?? "spatial_unpad",
          },
          eye,
          path,
        );
  const projector: ProjectorConfig = { type: "mlp", depth: 2, act: "gelu", bias: true };
  return {
    vision,
    projector,
    featureLayers: featureLayersIn(header, vision.numLayers, path),
    selectStrategy,
    pad: aspect === "pad",
    ...(tiling && { tiling }),
    grid,
    layout,
    mean: threeIn(header, eyeKey("vision.image_mean"), path),
    std: threeIn(header, eyeKey("vision.image_std"), path),
  };
}

/** Without the key, the layers that are there are those that are run. Counted from the end, as configurations have it. */
function featureLayersIn(header: GgufHeader, numLayers: number, path: string): number[] {
  const stated = header.metadata.get(eyeKey("vision.feature_layer"));
  const indices = Array.isArray(stated) ? stated : [positiveIn(header, eyeKey("vision.block_count"), path)];
  if (
    indices.length > 0 &&
    indices.every((layer) => Number.isInteger(layer) && layer >= 0 && layer <= numLayers)
  )
    return indices.map((layer: number) => layer - numLayers - 1);
  throw new LlavaError(
    "config",
    `${path}: ${eyeKey("vision.feature_layer")} is ${JSON.stringify(stated)}; the tower has ${numLayers} layers`,
  );
}

function threeIn({ metadata }: GgufHeader, key: string, path: string): [number, number, number] {
  const value = metadata.get(key);
  if (Array.isArray(value) && value.length === 3 && value.every((item) => typeof item === "number"))
    return value.map(shortestFloat32) as [number, number, number];
  throw new LlavaError("config", `${path}: ${key} is ${JSON.stringify(value)}; expected three numbers`);
}
