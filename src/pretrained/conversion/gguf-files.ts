import { join } from "node:path";
import {
  type GgufValue,
  joinRotaryPairs,
  layouts,
  type WrittenGgufTensor,
  type WrittenGgufType,
  writeGguf,
} from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { describeEye, describeGgufText, type SourceLayout } from "../../models/index.ts";
import { ggufTokenizer } from "../../processing/tokenizer/index.ts";
import { releasePages, type Tensor, tensor as tensorOf } from "../../torch/index.ts";
import { IMAGE_PROCESSOR, TEXT_CONFIG } from "../gguf-words.ts";
import type { PretrainedLlava } from "../pretrained.ts";
import type { ModelOrigin } from "../save.ts";
import type { ConfigurationSource } from "./configuration.ts";
import { FILE_TYPES, type GgufTypeName, ggufTypeFor, type MatrixPlace, plainType } from "./gguf-types.ts";
import { imageProcessorFields } from "./processor-files.ts";

export interface GgufTypes {
  /** Of the language model's matrices; as stored without it. */
  readonly type?: GgufTypeName | undefined;
  /** Of the vision tower's and projector's; by default `type`, or float16 where that is one of blocks. */
  readonly eyeType?: GgufTypeName | undefined;
}

export interface WrittenPair {
  readonly files: readonly [text: string, eye: string];
  /** What the tensors were written as, by canonical names. */
  readonly types: ReadonlyMap<string, WrittenGgufType>;
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Writes a model as llama.cpp has it: a file of its language model, and one of what it sees with (`mmproj`).
 * @throws LlavaError "usage" for what those cannot hold
 */
export function writePair(
  folder: string,
  name: string,
  state: ReadonlyMap<string, Tensor>,
  {
    origin,
    processor,
    source,
    layout,
    type,
    eyeType = type === undefined || !type.startsWith("q") ? type : "f16",
  }: {
    origin: ModelOrigin;
    processor: PretrainedLlava["processor"];
    source: ConfigurationSource;
    layout: SourceLayout;
  } & GgufTypes,
): WrittenPair {
  const { config, text: fields, pad, tied } = source;
  const { normalize, rescaleFactor } = processor.imageConfig;
  if (normalize === null || rescaleFactor === null)
    throw new LlavaError(
      "usage",
      "a GGUF file cannot hold images that are not normalised (do_normalize, do_rescale)",
      {
        hint: "Its readers bring pixels to a mean and deviation.",
      },
    );
  const text = describeGgufText(String(fields["model_type"]), config.text);
  const eye = describeEye(config, { layout, pad, normalize });
  const general = (what: string, wanted: GgufTypeName): [string, GgufValue][] => [
    ["general.type", what],
    ["general.name", name],
    ["general.file_type", FILE_TYPES[wanted]],
    ...(wanted.startsWith("q") ? [["general.quantization_version", 2] as [string, GgufValue]] : []),
  ];
  const parts = { text: new Map<string, WrittenGgufTensor>(), eye: new Map<string, WrittenGgufTensor>() };
  const types = new Map<string, WrittenGgufType>();
  const leftOut: string[] = [];
  const textMetadata = new Map<string, GgufValue>([
    ["general.architecture", text.architecture],
    ...general("model", type ?? mostly(state, (canonical) => !EYES.test(canonical))),
    ...text.metadata,
  ]);
  for (const [canonical, { shape, dtype }] of state) {
    const inText = layouts.languageModel.write(canonical);
    const stored = inText && text.dialect.names.write(inText);
    const isText = stored !== undefined && !EYES.test(canonical);
    const place = isText ? stored : eye.nameOf(canonical);
    if (place === undefined) {
      leftOut.push(canonical);
      continue;
    }
    const written = ggufTypeFor(isText ? type : eyeType, { shape, dtype, place: placeOf(place, tied) });
    types.set(canonical, written);
    const heads = isText
      ? text.dialect.pairedRotaryHeads?.(place, { metadata: textMetadata, rows: shape[0] ?? 0, where: name })
      : undefined;
    parts[isText ? "text" : "eye"].set(place, {
      type: written,
      shape,
      read() {
        const values = state.get(canonical)!;
        if (heads === undefined) return values;
        const paired = joinRotaryPairs(values.detach(), heads);
        releasePages(values);
        return paired;
      },
    });
  }
  for (const [vector, numbers] of text.vectors)
    parts.text.set(vector, { type: "F32", shape: [numbers.length], read: () => tensorOf(numbers) });
  const words = tokenizerWords(origin, processor, config.text.vocabSize);
  for (const [key, value] of words.metadata) textMetadata.set(key, value);
  textMetadata.set("tokenizer.chat_template", processor.chatTemplate);
  textMetadata.set(TEXT_CONFIG, JSON.stringify({ ...fields, tie_word_embeddings: tied }));
  const eyeMetadata = new Map<string, GgufValue>([
    ...eye.metadata,
    ...general("mmproj", eyeType ?? mostly(state, (canonical) => EYES.test(canonical))),
    [IMAGE_PROCESSOR, JSON.stringify(imageProcessorFields(processor.imageConfig))],
  ]);
  const files = [
    fileName(name, type, textMetadata),
    `mmproj-${fileName(name, eyeType, eyeMetadata)}`,
  ] as const;
  writeGguf(join(folder, files[0]), textMetadata, parts.text);
  writeGguf(join(folder, files[1]), eyeMetadata, parts.eye);
  return {
    files,
    types,
    leftOut,
    notes: [
      ...eye.notes,
      ...(config.text.slidingWindow === undefined
        ? []
        : [`tokens see further back in llama.cpp than ${config.text.slidingWindow} (sliding_window)`]),
      ...words.notes,
    ],
  };
}

const EYES = /^model\.(?:vision_tower|multi_modal_projector|image_newline)\b/;

function placeOf(stored: string, tied: boolean): MatrixPlace {
  if (stored.startsWith("unused.")) return "unused";
  if (stored === "v.position_embd.weight") return "positions";
  if (stored === "v.patch_embd.weight") return "patches";
  return stored === (tied ? "token_embd.weight" : "output.weight") ? "output" : "inner";
}

/** What most numbers of a part are stored as. */
function mostly(state: ReadonlyMap<string, Tensor>, isPart: (canonical: string) => boolean): GgufTypeName {
  const counts = new Map<string, number>();
  for (const [name, { dtype, elements }] of state)
    if (isPart(name)) counts.set(plainType(dtype), (counts.get(plainType(dtype)) ?? 0) + elements);
  const [[most] = ["F32"]] = [...counts].sort(([, a], [, b]) => b - a);
  return most.toLowerCase() as GgufTypeName;
}

function fileName(
  name: string,
  type: GgufTypeName | undefined,
  metadata: ReadonlyMap<string, GgufValue>,
): string {
  const [known] = Object.entries(FILE_TYPES).find(([, id]) => id === metadata.get("general.file_type"))!;
  return `${name}-${(type ?? known).toUpperCase()}.gguf`;
}

function tokenizerWords(
  { files }: ModelOrigin,
  { tokenizer, stopIds }: PretrainedLlava["processor"],
  rows: number,
): { metadata: Map<string, GgufValue>; notes: readonly string[] } {
  const words: ReturnType<typeof tokenizerWords> =
    typeof files === "string"
      ? ggufTokenizer(files, tokenizer, rows)
      : { metadata: retyped(files.tokenizer), notes: [] };
  const eot = stopIds.find((id) => id !== tokenizer.eosId && id < rows);
  if (eot !== undefined) words.metadata.set("tokenizer.ggml.eot_token_id", eot);
  return words;
}

/** Metadata as it was read, in the types that it is written in. */
const retyped = (metadata: ReadonlyMap<string, unknown>): Map<string, GgufValue> =>
  new Map(
    Array.from(metadata, ([key, value]): [string, GgufValue] => {
      if (!Array.isArray(value) || typeof value[0] === "string") return [key, value as GgufValue];
      return [key, key.endsWith("scores") ? Float32Array.from(value) : Int32Array.from(value)];
    }),
  );
