// A language model of 7 billion weights, random, in each form: how long it loads, what memory it takes, decoding beside the speed
// at which memory is read, and the reading of a prompt, beside llama.cpp with the same file and threads in the same run.
//   node bench/real-sizes.ts [--layers 32] [--forms bf16,Q8_0,Q4_0,Q4_K] [--folder FOLDER] [--python PATH] [--threads 2]
//     [--rounds 5] [--decoded 4] [--prefill 512] [--json]
// Fewer layers of the same shape take less time and disk. FOLDER keeps the files (13 GB, 7 GB, 4 GB for 32 layers); without
// it they are temporary, one form at a time. The Python (or $PYTHON) needs xllamacpp; "bf16" has no peer. All take turns: the shortest times count, and medians
// of ratios within a turn, with what reading memory came to over half a second of it.
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadStrict, openCheckpoint, openGguf, renamed } from "../src/checkpoint/index.ts";
import { configFromGguf, createLanguageModel, ggufDialect, type LanguageModel } from "../src/models/index.ts";
import { keeping } from "../src/pretrained/index.ts";
import {
  aten,
  Generator,
  inference,
  instructionSet,
  longTensor,
  numThreads,
  randn,
  scope,
  setNumThreads,
  type WrittenBlockType,
} from "../src/torch/index.ts";
import { median, Peer } from "./peer.ts";
import { readBandwidth } from "./read-bandwidth.ts";
import { sevenBillion, writeSevenBillionFolder, writeSevenBillionGguf } from "./seven-billion.ts";

/** Nothing for a form that has no peer. */
const besidePeer = (milliseconds: number, times: number): string =>
  Number.isNaN(times) ? "" : `; llama.cpp ${milliseconds.toFixed(1)} ms: ${times.toFixed(2)} ×`;

const { values: options } = parseArgs({
  options: {
    layers: { type: "string", default: "32" },
    forms: { type: "string", default: "bf16,Q8_0,Q4_0,Q4_K" },
    folder: { type: "string" },
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    threads: { type: "string", default: "" },
    rounds: { type: "string", default: "5" },
    decoded: { type: "string", default: "4" },
    prefill: { type: "string", default: "512" },
    json: { type: "boolean", default: false },
  },
});
const [layers, rounds, decoded, prefilled] = [
  options.layers,
  options.rounds,
  options.decoded,
  options.prefill,
].map(Number) as [number, number, number, number];
if (options.threads !== "") setNumThreads(Number(options.threads));
const PROMPT = 4;

type Form = "bf16" | WrittenBlockType;

/** Writes what is not there. */
function filesOf(form: Form, folder: string): { path: string; bytes: number } {
  if (form !== "bf16") {
    const path = writeSevenBillionGguf(join(folder, `${form}-${layers}.gguf`), form, layers);
    return { path, bytes: statSync(path).size };
  }
  const path = writeSevenBillionFolder(join(folder, `bf16-${layers}`), layers);
  using source = openCheckpoint(path);
  const bytes = [...source.names()].reduce(
    (sum, name) => sum + source.info(name).shape.reduce((product, size) => product * size, 2),
    0,
  );
  return { path, bytes };
}

/** So that files lie in the system's cache. */
function readOnce(path: string): void {
  const buffer = Buffer.alloc(8 << 20);
  const files = statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path];
  for (const name of files) {
    const file = openSync(name, "r");
    while (readSync(file, buffer) > 0);
    closeSync(file);
  }
}

function load(form: Form, path: string): LanguageModel {
  if (form === "bf16") {
    const model = createLanguageModel(sevenBillion(layers));
    using source = renamed(openCheckpoint(path), (name) => name.replace(/^model\.(?:language_model\.)?/, ""));
    loadStrict(model, source);
    return model;
  }
  using file = openGguf(path, ggufDialect);
  const model = createLanguageModel(configFromGguf(file.header, path));
  using source = renamed(file, (name) => name.replace(/^model\./, ""));
  loadStrict(keeping(model, model, { dtype: "float32", weights: "stored" }), source, { dtype: "float32" });
  return model;
}

const resident = (): number =>
  Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024;

const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => 300 + ((i * 7919) % 31_000));

/** Milliseconds of reading a prompt, and of each of so many tokens after it. */
function generate(model: LanguageModel, prompt: number, tokens: number): { read: number; each: number } {
  return inference(() => {
    using cache = model.newCache({ batch: 1, capacity: prompt + tokens });
    const next = (given: readonly number[]) =>
      scope(() => {
        const hidden = model.forward(model.embed(longTensor(given, [1, given.length])), { cache });
        return model.logits(hidden.slice(1, -1)).argmax().item();
      });
    const start = performance.now();
    let id = next(ids(prompt));
    const read = performance.now() - start;
    for (let i = 0; i < tokens; i++) id = next([id]);
    return { read, each: (performance.now() - start - read) / tokens };
  });
}

/** What a decoded token reads: all but the embedding's other rows. */
function bytesRead(model: LanguageModel): number {
  const { vocabSize } = model.config;
  return [...model.namedParameters()].reduce((sum, [name, { elements, dtype }]) => {
    const bytes = elements * ({ uint8: 1, bfloat16: 2 }[dtype as string] ?? 4);
    return sum + (name.startsWith("embed_tokens") ? bytes / vocabSize : bytes);
  }, 0);
}

/** GFLOP/s of libtorch's own products of 512 rows in float32. */
const plainProducts = (): number =>
  inference(() =>
    scope(() => {
      using generator = new Generator(1);
      const [x, weight] = [randn([512, 4096], generator), randn([4096, 4096], generator)];
      const times = Array.from({ length: 3 }, () => {
        const start = performance.now();
        scope(() => void aten.linear(x, weight));
        return performance.now() - start;
      });
      return (2 * 512 * 4096 * 4096) / Math.min(...times) / 1e6;
    }),
  );

async function measure(form: Form, folder: string) {
  const { path, bytes } = filesOf(form, folder);
  readOnce(path);
  const before = resident();
  const start = performance.now();
  using model = load(form, path);
  const seconds = (performance.now() - start) / 1000;
  generate(model, PROMPT, 1);
  const residentBytes = resident() - before;
  const peer =
    form === "bf16"
      ? undefined
      : await Peer.start(options.python, [
          new URL("llama_cpp_peer.py", import.meta.url).pathname,
          path,
          String(numThreads()),
        ]);
  const read = bytesRead(model);
  const turns: { bandwidth: number; own: number; peer: number }[] = [];
  for (let round = -1; round < rounds; round++) {
    const bandwidth = readBandwidth(0.5).sustained;
    const own = generate(model, PROMPT, decoded).each;
    const other = peer ? await peer.ask(`decode ${decoded}`) : Number.NaN;
    if (round >= 0) turns.push({ bandwidth, own, peer: other });
  }
  const prefills: { own: number; peer: number }[] = [];
  for (let round = 0; prefilled > 0 && round < Math.min(3, rounds); round++) {
    const own = generate(model, prefilled, 0).read;
    prefills.push({ own, peer: peer ? await peer.ask(`prefill ${prefilled}`) : Number.NaN });
  }
  peer?.close();
  const least = (values: readonly number[]): number => Math.min(...values);
  const matrices = [...model.namedParameters()].reduce(
    (sum, [name]) => (name.startsWith("layers.") && name.includes("proj") ? sum + 1 : sum),
    0,
  );
  const { hiddenSize: width, intermediateSize: inner } = model.config;
  const products = matrices > 0 ? layers * (4 * width * width + 3 * width * inner) : 0;
  return {
    form,
    layers,
    weightBytes: bytes,
    loadSeconds: seconds,
    residentOfWeights: residentBytes / bytes,
    decodeMs: least(turns.map(({ own }) => own)),
    gigabytesPerSecond: read / least(turns.map(({ own }) => own)) / 1e6,
    bandwidth: Math.max(...turns.map((turn) => turn.bandwidth)),
    ofBandwidth: median(turns.map(({ bandwidth, own }) => read / own / 1e6 / bandwidth)),
    bestOfBandwidth:
      read / least(turns.map(({ own }) => own)) / 1e6 / Math.max(...turns.map((turn) => turn.bandwidth)),
    peerDecodeMs: least(turns.map((turn) => turn.peer)),
    decodeOfPeer: median(turns.map(({ own, peer: other }) => other / own)),
    prefillMs: least(prefills.map(({ own }) => own)),
    prefillGigaflops: (2 * prefilled * products) / least(prefills.map(({ own }) => own)) / 1e6,
    peerPrefillMs: least(prefills.map((turn) => turn.peer)),
    prefillOfPeer: median(prefills.map(({ own, peer: other }) => other / own)) ?? Number.NaN,
  };
}

type Result = Awaited<ReturnType<typeof measure>>;

function render(result: Result): string {
  const { form, weightBytes, loadSeconds, residentOfWeights, decodeMs, gigabytesPerSecond, bandwidth } =
    result;
  const percent = (value: number): string => `${(100 * value).toFixed(0)} %`;
  const lines = [
    `${form}, ${layers} layers, ${(weightBytes / 1e9).toFixed(2)} GB: loaded in ${loadSeconds.toFixed(2)} s, resident ${residentOfWeights.toFixed(3)} × weights`,
    `  decode   ${decodeMs.toFixed(1)} ms a token, ${gigabytesPerSecond.toFixed(1)} GB/s of ${bandwidth.toFixed(1)} (best of each ${percent(result.bestOfBandwidth)}, median of turns ${percent(result.ofBandwidth)})${besidePeer(result.peerDecodeMs, result.decodeOfPeer)}`,
    prefilled === 0
      ? ""
      : `  prefill  ${result.prefillMs.toFixed(0)} ms for ${prefilled} tokens, ${result.prefillGigaflops.toFixed(0)} GFLOP/s${besidePeer(result.peerPrefillMs, result.prefillOfPeer)}`,
  ];
  return lines.filter(Boolean).join("\n");
}

if (!options.json)
  console.log(
    `${instructionSet()}, ${numThreads()} thread(s), memory read at ${readBandwidth(1).fastest.toFixed(1)} GB/s, float32 products of 512 rows at ${plainProducts().toFixed(0)} GFLOP/s`,
  );
const results: Result[] = [];
for (const form of options.forms.split(",") as Form[]) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "llava-sizes-"));
  try {
    mkdirSync(folder, { recursive: true });
    const result = await measure(form, folder);
    results.push(result);
    if (!options.json) console.log(render(result));
  } finally {
    if (options.folder === undefined) rmSync(folder, { recursive: true });
  }
}
if (options.json)
  console.log(JSON.stringify({ threads: numThreads(), instructions: instructionSet(), results }));
