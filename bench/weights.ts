// What fewer bits a weight cost and give: perplexity and decoding speed of the default model's language model, in each form.
//   node bench/weights.ts [--windows 2] [--rows 8] [--rounds 5] [--threads 2] [--forms float32,bf16,stored,int8,int4-anew] [--json]
// The text is the decisions in docs, by their numbers, in windows of 256 tokens; each token but a window's first is foretold from
// those before it. --rows at once are read: up to 31 go the way that decoding goes. The file holds 4 bits (Q4_1), which "int4"
// keeps: "int4-anew" brings its numbers to Q4_0 and Q4_K, as it would those of a file in 16 bits. Decoding takes turns; the
// shortest time counts.
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { loadStrict, openGguf, readGgufHeader, subtree } from "../src/checkpoint/index.ts";
import { configFromGguf, createLanguageModel, ggufDialect, type LanguageModel } from "../src/models/index.ts";
import { keeping } from "../src/pretrained/index.ts";
import { tokenizerFromGguf } from "../src/processing/tokenizer/index.ts";
import { defaultModel, resolveModel } from "../src/setup/index.ts";
import {
  byteWidth,
  crossEntropy,
  type DType,
  inference,
  instructionSet,
  longTensor,
  numThreads,
  scope,
  setNumThreads,
} from "../src/torch/index.ts";

const { values: options } = parseArgs({
  options: {
    windows: { type: "string", default: "2" },
    rows: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "" },
    forms: { type: "string", default: "float32,bf16,stored,int8,int4,int4-anew" },
    json: { type: "boolean", default: false },
  },
});
const WINDOW = 256;
const DECODED = 32;
if (options.threads !== "") setNumThreads(Number(options.threads));

const found = await resolveModel(defaultModel);
if (found.kind !== "builtin") throw new Error("the default model is built in");
const { languageModel: path } = found;
const header = readGgufHeader(path);
const tokenizer = tokenizerFromGguf(new Map(header.metadata));

interface Form {
  readonly dtype: DType;
  readonly weights?: "stored" | "int8" | "int4";
  readonly anew?: boolean;
}
const forms: Readonly<Record<string, Form>> = {
  float32: { dtype: "float32" },
  bf16: { dtype: "bfloat16" },
  stored: { dtype: "float32", weights: "stored" },
  int8: { dtype: "float32", weights: "int8" },
  int4: { dtype: "float32", weights: "int4" },
  "int4-anew": { dtype: "float32", weights: "int4", anew: true },
};

function load({ dtype, weights, anew = false }: Form): LanguageModel {
  const model = createLanguageModel(configFromGguf(header, path));
  using file = openGguf(path, ggufDialect);
  const stored = subtree(file, "model.");
  const source = anew ? { ...stored, blocks: () => undefined } : stored;
  loadStrict(keeping(model, model, { dtype, ...(weights && { weights }) }), source, { dtype });
  return model;
}

function decisions(count: number): number[][] {
  const folder = new URL("../docs/decisions/", import.meta.url);
  const text = readdirSync(folder)
    .sort()
    .map((name) => readFileSync(new URL(name, folder), "utf8"))
    .join("\n");
  const ids = tokenizer.encode(text);
  return Array.from({ length: count }, (_, i) => ids.slice(i * WINDOW, (i + 1) * WINDOW));
}

function perplexity(model: LanguageModel, windows: readonly (readonly number[])[], rows: number): number {
  let [sum, count] = [0, 0];
  for (const ids of windows)
    inference(() => {
      using cache = model.newCache({ batch: 1, capacity: ids.length });
      for (let start = 0; start < ids.length - 1; start += rows) {
        const read = ids.slice(start, Math.min(start + rows, ids.length - 1));
        const targets = ids.slice(start + 1, start + 1 + read.length);
        sum += scope(() => {
          const hidden = model.forward(model.embed(longTensor(read, [1, read.length])), { cache });
          const scores = model.logits(hidden).squeeze(0).to("float32");
          return crossEntropy(scores, longTensor(targets)).item() * read.length;
        });
        count += read.length;
      }
    });
  return Math.exp(sum / count);
}

/** Seconds a token. */
function decode(model: LanguageModel): number {
  return inference(() => {
    using cache = model.newCache({ batch: 1, capacity: DECODED + 8 });
    const next = (ids: readonly number[]) =>
      scope(() => {
        const hidden = model.forward(model.embed(longTensor(ids, [1, ids.length])), { cache });
        return model.logits(hidden.slice(1, -1)).argmax().item();
      });
    let id = next(tokenizer.encode("The capital of France is"));
    const start = performance.now();
    for (let i = 0; i < DECODED; i++) id = next([id]);
    return (performance.now() - start) / 1000 / DECODED;
  });
}

const named = options.forms.split(",");
const unknown = named.find((name) => forms[name] === undefined);
if (unknown !== undefined)
  throw new Error(`no form "${unknown}"; there are ${Object.keys(forms).join(", ")}`);
const models = named.map((name) => load(forms[name]!));
const windows = decisions(Number(options.windows));
const perplexities = models.map((model, i) => {
  const value = perplexity(model, windows, Number(options.rows));
  if (!options.json) console.log(`${named[i]}: perplexity ${value.toFixed(3)}`);
  return value;
});
const shortest = models.map(() => Number.POSITIVE_INFINITY);
for (let round = 0; round <= Number(options.rounds); round++)
  for (const [i, model] of models.entries()) shortest[i] = Math.min(shortest[i]!, decode(model));

const results = models.map((model, i) => ({
  form: named[i]!,
  megabytes:
    model.parameters().reduce((sum, { elements, dtype }) => sum + elements * byteWidth[dtype], 0) / 1e6,
  perplexity: perplexities[i]!,
  tokensPerSecond: 1 / shortest[i]!,
}));
if (options.json) console.log(JSON.stringify(results));
else {
  console.log(`${instructionSet()}, ${numThreads()} threads, ${windows.length} windows of ${WINDOW} tokens`);
  for (const { form, megabytes, perplexity: value, tokensPerSecond } of results)
    console.log(
      `${form.padEnd(10)} ${megabytes.toFixed(0).padStart(4)} MB  perplexity ${value.toFixed(3)}  ${tokensPerSecond.toFixed(1)} tokens a second`,
    );
}
