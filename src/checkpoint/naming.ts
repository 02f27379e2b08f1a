/**
 * Checkpoints of one architecture come under several sets of tensor names. All are read as the module paths of
 * transformers 5, the canonical names: `model.language_model.*`, `model.vision_tower.*` (no `vision_model` inside),
 * `model.multi_modal_projector.linear_N.*`, `lm_head.*`. A layout is a table of beginnings, which is read in both directions:
 *
 * | part      | original LLaVA                                 | transformers ≤ 4.51, and 5           | 4.52 to 4.57           |
 * |-----------|------------------------------------------------|--------------------------------------|------------------------|
 * | decoder   | model.layers.*                                 | language_model.model.layers.*        | model.language_model.* |
 * | head      | lm_head.*                                      | language_model.lm_head.*             | lm_head.*              |
 * | projector | model.mm_projector.{0,2}.*                     | multi_modal_projector.linear_{1,2}.* | model.…                |
 * | tower     | model.vision_tower.vision_tower.vision_model.* | vision_tower.(vision_model.)*        | model.…                |
 */
export interface Naming {
  /** The canonical name of a stored one; undefined for one that the layout does not have. */
  read(stored: string): string | undefined;
  /** The stored name of a canonical one; undefined for one that the layout does not have. */
  write(canonical: string): string | undefined;
}

/** Two beginnings of names that stand for each other, `#` in both of them for a number. */
export type NamingRule = readonly [
  stored: string,
  canonical: string,
  options?: {
    /** What must follow, as the source of a regular expression. */
    readonly rest?: string;
    /** The canonical number of a stored one, and back; undefined for one that cannot be. */
    readonly number?: { read(stored: number): number | undefined; write(canonical: number): number };
  },
];

/** The naming of a table; of several rules that fit a name the first counts. */
export function naming(...rules: readonly NamingRule[]): Naming {
  const compiled = rules.map(([stored, canonical, { rest = "", number } = {}]) => {
    const [isStored, isCanonical] = [beginning(stored, rest), beginning(canonical, rest)];
    return {
      read: (name: string) => exchanged(name, isStored, canonical, number?.read),
      write: (name: string) => exchanged(name, isCanonical, stored, number?.write),
    };
  });
  const first = (direction: "read" | "write") => (name: string) => {
    for (const rule of compiled) {
      const found = rule[direction](name);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return { read: first("read"), write: first("write") };
}

const beginning = (text: string, rest: string): RegExp =>
  new RegExp(`^${text.replaceAll(".", "\\.").replace("#", "(0|[1-9]\\d*)")}(?=${rest})`);

function exchanged(
  name: string,
  from: RegExp,
  to: string,
  renumber: (number: number) => number | undefined = (number) => number,
): string | undefined {
  const found = from.exec(name);
  if (found === null) return undefined;
  const rest = name.slice(found[0].length);
  if (found[1] === undefined) return to + rest;
  const number = renumber(Number(found[1]));
  return number === undefined ? undefined : to.replace("#", String(number)) + rest;
}

const DECODER: NamingRule = [
  "model.",
  "model.language_model.",
  { rest: String.raw`(?:embed_tokens|layers|norm)\.` },
];
const HEAD: NamingRule = ["lm_head.", "lm_head."];
const NEWLINE: NamingRule = ["model.image_newline", "model.image_newline", { rest: "$" }];
const RESAMPLER: NamingRule = ["model.vision_resampler.", "model.vision_resampler."];
const TOWER = String.raw`(?:embeddings|encoder|pre_layrnorm|post_layernorm|head)\.`;
const PROJECTOR = String.raw`(?:(?:lora_[AB]\.)?(?:weight|bias)|lora_magnitude_vector)$`;

/** The original code's projector is a sequence of layers with activations between, or one layer without a number. */
const projector = (prefix: string, { isLinear }: { isLinear: boolean }): NamingRule =>
  isLinear
    ? [prefix, "model.multi_modal_projector.linear_1.", { rest: PROJECTOR }]
    : [
        `${prefix}#.`,
        "model.multi_modal_projector.linear_#.",
        {
          rest: PROJECTOR,
          number: {
            read: (place) => (place % 2 === 0 ? place / 2 + 1 : undefined),
            write: (layer) => 2 * (layer - 1),
          },
        },
      ];

/** `inside` is how the tower's own module is called, if it is; the empty name must leave those with one to their own rule. */
const tower = (prefix: string, inside: "vision_model." | ""): NamingRule => [
  prefix + inside,
  "model.vision_tower.",
  { rest: inside === "" ? String.raw`(?!vision_(?:model|tower)\.)` : "" },
];

const original = (inside: "vision_model." | "", { isLinear }: { isLinear: boolean }): Naming =>
  naming(
    tower("model.vision_tower.vision_tower.", inside),
    projector("model.mm_projector.", { isLinear }),
    DECODER,
    HEAD,
    NEWLINE,
    RESAMPLER,
  );

const flat = (inside: "vision_model." | ""): Naming =>
  naming(
    ["language_model.lm_head.", "lm_head."],
    ["language_model.model.", "model.language_model."],
    tower("vision_tower.", inside),
    ["multi_modal_projector.", "model.multi_modal_projector."],
    ["image_newline", "model.image_newline", { rest: "$" }],
    ["vision_resampler.", "model.vision_resampler."],
  );

/** The canonical names themselves. */
export const canonicalNames: Naming = naming(["", ""]);

/** The layouts that whole models and their parts are stored in. */
export const layouts = {
  /** The original code's, with a projector of several layers. */
  original: original("vision_model.", { isLinear: false }),
  /** The same with a projector of one layer. */
  originalLinear: original("vision_model.", { isLinear: true }),
  /** Files of transformers up to 4.51, which every version since LLaVA was added reads. */
  huggingFace: flat("vision_model."),
  /** Those of transformers 4.52 to 4.57. */
  huggingFace452: naming(
    tower("model.vision_tower.", "vision_model."),
    ["model.language_model.", "model.language_model."],
    ["model.multi_modal_projector.", "model.multi_modal_projector."],
    HEAD,
    NEWLINE,
    RESAMPLER,
  ),
  /** Those of transformers 5. */
  huggingFace5: flat(""),
  /** A language model alone. */
  languageModel: naming(DECODER, HEAD),
  /** A vision tower alone. */
  visionTower: naming(["vision_model.", "model.vision_tower.", { rest: TOWER }]),
} as const satisfies Readonly<Record<string, Naming>>;

/** Layouts that are met and not written. */
const VARIANTS: readonly Naming[] = [
  original("", { isLinear: false }),
  naming(tower("vision_tower.vision_tower.", "vision_model.")),
  naming(tower("vision_tower.vision_tower.", "")),
  naming(["", "model.vision_tower.", { rest: TOWER }]),
  naming(projector("mm_projector.", { isLinear: false }), projector("mm_projector.", { isLinear: true })),
];

const KNOWN = [...Object.values(layouts), ...VARIANTS];

/** The canonical name of a tensor stored in any of the layouts; other names come back unchanged. */
export function canonicalName(name: string): string {
  for (const layout of KNOWN) {
    const canonical = layout.read(name);
    if (canonical !== undefined) return canonical;
  }
  return name;
}

/** Stored by some writers, recomputed by every reader: rotary frequencies and position numbers. */
export const RECOMPUTED_TENSORS: readonly RegExp[] = [/\.rotary_emb\.inv_freq$/, /\.position_ids$/];
