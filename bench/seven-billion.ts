import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { LlamaConfig } from "../src/models/index.ts";
import { Generator, ones, quantize, randn, scope, type WrittenBlockType } from "../src/torch/index.ts";

/** A Llama 2 of 7 billion weights, or one of its shape with fewer layers. */
export const sevenBillion = (numLayers: number): LlamaConfig => ({
  family: "llama",
  vocabSize: 32_000,
  hiddenSize: 4096,
  intermediateSize: 11_008,
  numLayers,
  numHeads: 32,
  numKeyValueHeads: 32,
  headDim: 128,
  hiddenAct: "silu",
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 4096,
  tieWordEmbeddings: false,
  attentionBias: false,
  outputBias: false,
  mlpBias: false,
});

interface Entry {
  readonly name: string;
  readonly shape: readonly [number] | readonly [number, number];
}

/** Names in Hugging Face's layout and in GGUF files, in the order in which a pass reads them. */
function entriesOf(names: "huggingFace" | "gguf", layers: number): Entry[] {
  const { vocabSize, hiddenSize: width, intermediateSize: inner } = sevenBillion(layers);
  const pick = (huggingFace: string, gguf: string) => (names === "gguf" ? gguf : huggingFace);
  const inLayer = (layer: number): Entry[] => {
    const entry = (huggingFace: string, gguf: string, shape: Entry["shape"]): Entry => ({
      name: `${pick(`model.layers.${layer}.${huggingFace}`, `blk.${layer}.${gguf}`)}.weight`,
      shape,
    });
    return [
      entry("input_layernorm", "attn_norm", [width]),
      entry("self_attn.q_proj", "attn_q", [width, width]),
      entry("self_attn.k_proj", "attn_k", [width, width]),
      entry("self_attn.v_proj", "attn_v", [width, width]),
      entry("self_attn.o_proj", "attn_output", [width, width]),
      entry("post_attention_layernorm", "ffn_norm", [width]),
      entry("mlp.gate_proj", "ffn_gate", [inner, width]),
      entry("mlp.up_proj", "ffn_up", [inner, width]),
      entry("mlp.down_proj", "ffn_down", [width, inner]),
    ];
  };
  return [
    { name: pick("model.embed_tokens.weight", "token_embd.weight"), shape: [vocabSize, width] },
    ...Array.from({ length: layers }, (_, layer) => inLayer(layer)).flat(),
    { name: pick("model.norm.weight", "output_norm.weight"), shape: [width] },
    { name: pick("lm_head.weight", "output.weight"), shape: [vocabSize, width] },
  ];
}

/** Rows that are drawn; a matrix repeats them, which no kernel can tell. */
const DRAWN = 64;
const SHARD_BYTES = 5e9;
const ALIGNMENT = 32;

/** The bytes of entries, made of as few random numbers as there are widths. */
class Values {
  readonly #type: WrittenBlockType | "BF16";
  readonly #norm: Uint8Array;
  readonly #rows = new Map<number, Uint8Array>();

  constructor(type: WrittenBlockType | "BF16", norm: Uint8Array) {
    this.#type = type;
    this.#norm = norm;
  }

  bytes({ shape: [rows, width] }: Entry): number {
    return width === undefined ? this.#norm.byteLength : (this.#drawn(width).byteLength / DRAWN) * rows;
  }

  write(file: number, { shape: [rows, width] }: Entry): void {
    if (width === undefined) return void writeSync(file, this.#norm);
    const drawn = this.#drawn(width);
    for (let row = 0; row < rows; row += DRAWN) writeSync(file, drawn);
  }

  #drawn(width: number): Uint8Array {
    const known = this.#rows.get(width);
    if (known) return known;
    using generator = new Generator(width);
    const bytes = scope(() => {
      const numbers = randn([DRAWN, width], generator).mul(0.02);
      return (this.#type === "BF16" ? numbers.to("bfloat16") : quantize(numbers, this.#type)).toBytes();
    });
    const made = new Uint8Array(bytes);
    this.#rows.set(width, made);
    return made;
  }
}

/** A folder in Hugging Face's layout, in bfloat16 and shards, of weights alone; nothing is done where it is there already. */
export function writeSevenBillionFolder(folder: string, layers: number): string {
  const index = join(folder, "model.safetensors.index.json");
  if (existsSync(index)) return folder;
  mkdirSync(folder, { recursive: true });
  const { hiddenSize } = sevenBillion(layers);
  const values = new Values(
    "BF16",
    scope(() => new Uint8Array(ones([hiddenSize]).to("bfloat16").toBytes())),
  );
  const shards: Entry[][] = [[]];
  let filled = 0;
  for (const entry of entriesOf("huggingFace", layers)) {
    if (filled + values.bytes(entry) > SHARD_BYTES) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(entry);
    filled += values.bytes(entry);
  }
  const fileOf = (shard: number) => `model-${shard + 1}-of-${shards.length}.safetensors`;
  for (const [shard, entries] of shards.entries()) {
    const header: Record<string, object> = {};
    let offset = 0;
    for (const entry of entries) {
      const end = offset + values.bytes(entry);
      header[entry.name] = { dtype: "BF16", shape: entry.shape, data_offsets: [offset, end] };
      offset = end;
    }
    const json = Buffer.from(JSON.stringify(header));
    const prefix = Buffer.alloc(8 + Math.ceil(json.byteLength / 64) * 64 + 56, " ");
    prefix.writeBigUInt64LE(BigInt(prefix.byteLength - 8));
    json.copy(prefix, 8);
    writeEntries(join(folder, fileOf(shard)), prefix, entries, values);
  }
  const places = shards.flatMap((entries, shard) => entries.map(({ name }) => [name, fileOf(shard)]));
  writeFileSync(index, JSON.stringify({ weight_map: Object.fromEntries(places) }));
  return folder;
}

/** A GGUF file with all matrices in blocks of one type, and a tokenizer of bytes and made-up words. */
export function writeSevenBillionGguf(path: string, type: WrittenBlockType, layers: number): string {
  if (existsSync(path)) return path;
  const { hiddenSize } = sevenBillion(layers);
  const values = new Values(
    type,
    scope(() => new Uint8Array(ones([hiddenSize]).toBytes())),
  );
  const entries = entriesOf("gguf", layers);
  const header = new GgufHeader(entries.length, metadataOf(layers, type));
  let offset = 0;
  for (const entry of entries) {
    header.tensor(entry, entry.shape.length === 1 ? 0 : TYPE_IDS[type], offset);
    offset += values.bytes(entry); // a multiple of the alignment, as widths here are
  }
  writeEntries(path, header.bytes(), entries, values);
  return path;
}

function writeEntries(path: string, header: Uint8Array, entries: readonly Entry[], values: Values): void {
  const file = openSync(`${path}.part`, "w");
  writeSync(file, header);
  for (const entry of entries) values.write(file, entry);
  closeSync(file);
  renameSync(`${path}.part`, path);
}

const TYPE_IDS: Readonly<Record<WrittenBlockType, number>> = { Q4_0: 2, Q8_0: 8, Q4_K: 12, Q6_K: 14 };
const FILE_TYPES: Readonly<Record<WrittenBlockType, number>> = { Q4_0: 2, Q8_0: 7, Q4_K: 15, Q6_K: 18 };

type Value =
  | { readonly uint32: number }
  | { readonly float32: number }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly float32s: readonly number[] }
  | { readonly int32s: readonly number[] };

function metadataOf(layers: number, type: WrittenBlockType): [string, Value][] {
  const config = sevenBillion(layers);
  const byte = (value: number) => `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`;
  const special = ["<unk>", "<s>", "</s>"];
  const tokens = Array.from({ length: config.vocabSize }, (_, id) =>
    id < 3 ? special[id]! : id < 259 ? byte(id - 3) : `▁word${id}`,
  );
  const kinds = tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1));
  return [
    ["general.architecture", { text: "llama" }],
    ["general.file_type", { uint32: FILE_TYPES[type] }],
    ["general.quantization_version", { uint32: 2 }],
    ["llama.block_count", { uint32: config.numLayers }],
    ["llama.context_length", { uint32: config.maxPositionEmbeddings }],
    ["llama.embedding_length", { uint32: config.hiddenSize }],
    ["llama.feed_forward_length", { uint32: config.intermediateSize }],
    ["llama.attention.head_count", { uint32: config.numHeads }],
    ["llama.attention.layer_norm_rms_epsilon", { float32: config.rmsNormEps }],
    ["tokenizer.ggml.model", { text: "llama" }],
    ["tokenizer.ggml.pre", { text: "default" }],
    ["tokenizer.ggml.tokens", { texts: tokens }],
    ["tokenizer.ggml.scores", { float32s: tokens.map((_, id) => -id) }],
    ["tokenizer.ggml.token_type", { int32s: kinds }],
    ["tokenizer.ggml.bos_token_id", { uint32: 1 }],
    ["tokenizer.ggml.eos_token_id", { uint32: 2 }],
  ];
}

class GgufHeader {
  readonly #parts: Buffer[] = [];

  constructor(tensors: number, metadata: readonly [string, Value][]) {
    this.#parts.push(Buffer.from("GGUF"));
    this.#uint32(3);
    this.#size(tensors);
    this.#size(metadata.length);
    for (const [key, value] of metadata) {
      this.#text(key);
      this.#value(value);
    }
  }

  tensor({ name, shape }: Entry, type: number, offset: number): void {
    this.#text(name);
    this.#uint32(shape.length);
    for (const size of shape.toReversed()) this.#size(size);
    this.#uint32(type);
    this.#size(offset);
  }

  bytes(): Uint8Array {
    const header = Buffer.concat(this.#parts);
    const padding = (ALIGNMENT - (header.byteLength % ALIGNMENT)) % ALIGNMENT;
    return Buffer.concat([header, Buffer.alloc(padding)]);
  }

  #uint32(value: number): void {
    this.#parts.push(Buffer.from(Uint32Array.of(value).buffer));
  }
  #size(value: number): void {
    this.#parts.push(Buffer.from(BigUint64Array.of(BigInt(value)).buffer));
  }
  #text(text: string): void {
    const bytes = Buffer.from(text);
    this.#size(bytes.byteLength);
    this.#parts.push(bytes);
  }
  #value(value: Value): void {
    if ("uint32" in value) {
      this.#uint32(4);
      this.#uint32(value.uint32);
    } else if ("float32" in value) {
      this.#uint32(6);
      this.#parts.push(Buffer.from(Float32Array.of(value.float32).buffer));
    } else if ("text" in value) {
      this.#uint32(8);
      this.#text(value.text);
    } else this.#array(value);
  }
  #array(value: Extract<Value, { texts: unknown } | { float32s: unknown } | { int32s: unknown }>): void {
    this.#uint32(9);
    const [type, items] =
      "texts" in value ? [8, value.texts] : "float32s" in value ? [6, value.float32s] : [5, value.int32s];
    this.#uint32(type as number);
    this.#size((items as readonly unknown[]).length);
    if ("texts" in value) for (const text of value.texts) this.#text(text);
    else if ("float32s" in value) this.#parts.push(Buffer.from(Float32Array.from(value.float32s).buffer));
    else this.#parts.push(Buffer.from(Int32Array.from(value.int32s).buffer));
  }
}
