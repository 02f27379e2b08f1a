import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Which folder of src may import which: the one list behind the check of all imports (architecture.test.ts), the table in
 * docs/architecture.md and the choice of tests that run without libtorch. `npm run architecture` rewrites the table.
 */

interface Folder {
  readonly holds: string;
  readonly imports: readonly string[];
}

const processing = [
  "processing/image",
  "processing/video",
  "processing/tokenizer",
  "processing/conversation",
  "processing/processor",
];
const layers = ["protocol", "setup", "torch", "checkpoint", "nn", "optim", ...processing];

/** What every folder above it may import. */
const groundFloor = ["files", "random"];

/** Lowest first; a folder imports only from above its own line. */
export const folders: Readonly<Record<string, Folder>> = {
  files: {
    holds: "kinds of files by their bytes; JSON of any size, parquet, tar; whole files written or none",
    imports: [],
  },
  random: { holds: "random numbers and orders that a seed decides, the same on every machine", imports: [] },
  protocol: { holds: "messages, requests and answers, as types", imports: [] },
  setup: { holds: "libtorch, the addon and model files: found, fetched, built", imports: [] },
  torch: { holds: "tensors, operators, autograd, scopes, generators", imports: ["setup"] },
  distributed: { holds: "what processes that train together tell each other", imports: ["torch"] },
  checkpoint: {
    holds: "weights in files: safetensors, torch's, GGUF; the names that layouts give them",
    imports: ["setup", "torch"],
  },
  nn: { holds: "modules, layers, attention, key-value cache", imports: ["torch"] },
  optim: { holds: "AdamW, schedules, gradient clipping", imports: ["torch", "distributed"] },
  "processing/image": {
    holds: "images: load, decode, resize, normalise",
    imports: ["protocol"],
  },
  "processing/video": {
    holds: "videos: frames chosen by named rules and decoded",
    imports: ["protocol", "processing/image"],
  },
  "processing/tokenizer": { holds: "text ↔ token ids", imports: [] },
  "processing/conversation": {
    holds: "messages → prompts, by templates, with a label mask",
    imports: ["protocol", "processing/tokenizer"],
  },
  "processing/processor": {
    holds: "a model without its weights: rows, conversations and images → its inputs",
    imports: [
      "protocol",
      "processing/image",
      "processing/video",
      "processing/tokenizer",
      "processing/conversation",
    ],
  },
  models: {
    holds: "vision towers, projectors, Llama, LLaVA: the papers' figures and their configurations",
    imports: ["torch", "checkpoint", "nn", "processing/image", "processing/video", "processing/conversation"],
  },
  pretrained: {
    holds: "models with their weights, tokenizer and prompt format: loaded, assembled, adapted, saved",
    imports: ["setup", "torch", "checkpoint", "nn", ...processing, "models"],
  },
  generation: {
    holds: "sampling, stopping, streaming answers",
    imports: [...layers, "models", "pretrained"],
  },
  data: {
    holds: "rows, mixtures, shards, their ids and labels, samplers, workers",
    imports: ["protocol", ...processing],
  },
  training: {
    holds: "recipes, packing, the training loop, its callbacks",
    imports: [...layers, "distributed", "models", "pretrained", "data"],
  },
  client: { holds: "chat models behind an OpenAI-compatible endpoint", imports: ["protocol"] },
  runner: {
    holds: "many questions to a model: at once, again after failures, answers kept, runs gone on with",
    imports: ["protocol", "client"],
  },
  charts: { holds: "charts as SVG and PNG", imports: [] },
  evaluation: {
    holds: "benchmarks, judges, results and reports",
    imports: ["protocol", "runner", "charts"],
  },
  datagen: {
    holds:
      "training rows made from captions and data sets: questions by rule, concept filter, rows by a teacher",
    imports: ["protocol", "runner", "charts", "evaluation"],
  },
  "serving/engine": {
    holds: "a model that answers many at once: turns, cached prefixes and images, one memory budget",
    imports: [...layers, "models", "pretrained", "generation"],
  },
  "serving/constraints": {
    holds: "answers held to JSON, a schema, an expression or a grammar, by llguidance",
    imports: ["protocol", "setup", "processing/tokenizer", "serving/engine"],
  },
  "serving/thread": {
    holds: "a served model that computes in a thread beside whoever asks it; needs no libtorch",
    imports: ["protocol"],
  },
  "serving/http": {
    holds: "OpenAI's API, limits, keys and the chat page before any served model; needs no libtorch",
    imports: ["protocol", "processing/image", "processing/video"],
  },
  "benchmark-building": {
    holds: "benchmarks made of people's questions: screened, chosen, held against training sets, reviewed",
    imports: [
      "protocol",
      "torch",
      "processing/image",
      "pretrained",
      "data",
      "client",
      "runner",
      "datagen",
      "serving/http",
    ],
  },
  cli: {
    holds: "a folder a command",
    imports: [
      ...layers,
      "distributed",
      "models",
      "pretrained",
      "generation",
      "data",
      "training",
      "client",
      "runner",
      "charts",
      "evaluation",
      "datagen",
      "serving/engine",
      "serving/constraints",
      "serving/thread",
      "serving/http",
      "benchmark-building",
    ],
  },
};

/** Folders whose code, with all it imports, needs no libtorch. */
export const pureFolders = Object.keys(folders).filter((name) => !reaches(name, "torch"));

function reaches(from: string, to: string): boolean {
  return from === to || folders[from]!.imports.some((name) => reaches(name, to));
}

const names = Object.keys(folders);

/** The innermost listed folder of src that a file is in; undefined for files beside them. */
const folderOf = (file: string): string | undefined =>
  names.filter((name) => file.startsWith(`src/${name}/`)).sort((a, b) => b.length - a.length)[0];

/** Why a file may not import another, both by their paths from the project's root; undefined where it may. */
export function whyForbidden(file: string, imported: string): string | undefined {
  const [own, other] = [folderOf(file), folderOf(imported)];
  if (other === undefined || other === own) return undefined;
  if (imported !== `src/${other}/index.ts`) return "another folder is imported through its index.ts";
  // Tests and everything outside the folders import what they need.
  if (own === undefined || file.endsWith(".test.ts")) return undefined;
  const shared = groundFloor.filter((name) => names.indexOf(name) < names.indexOf(own));
  if ([...shared, ...folders[own]!.imports].includes(other)) return undefined;
  return `src/${own} may not import src/${other} (scripts/architecture.ts)`;
}

const importedFile = /\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;

/** The imports of a file's text that are forbidden, a line each. */
export function forbiddenImports(file: string, text: string): string[] {
  return [...text.matchAll(importedFile)].flatMap(([, source = ""]) => {
    const why = whyForbidden(file, posix.join(posix.dirname(file), source));
    return why === undefined ? [] : [`${file} imports ${source}: ${why}`];
  });
}

/** The list as a table. */
export function importTable(): string {
  const rows = Object.entries(folders).map(([name, { holds, imports }]) => {
    const link = `[${name}](../src/${name}/index.ts)`;
    return `| ${link} | ${holds} | ${shortened(imports) || "–"} |`;
  });
  return ["| folder | holds | may import |", "|---|---|---|", ...rows].join("\n");
}

/** Long lists say what they lack instead. */
function shortened(imports: readonly string[]): string {
  if (imports.length < 4) return imports.join(", ");
  const below = names.slice(0, Math.max(...imports.map((name) => names.indexOf(name))) + 1);
  const lacking = below.filter((name) => ![...groundFloor, ...imports].includes(name));
  return `all down to ${below.at(-1)}${lacking.length > 0 ? `, but not ${lacking.join(", ")}` : ""}`;
}

const begin = "<!-- written by npm run architecture -->";
const end = "<!-- end -->";

/** docs/architecture.md as it should read. */
export function describedArchitecture(): string {
  const document = readFileSync(description, "utf8");
  const [before, after] = [document.indexOf(begin), document.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`docs/architecture.md lacks ${begin} or ${end}`);
  return `${document.slice(0, before + begin.length)}\n${importTable()}\n${document.slice(after)}`;
}

export const pathOf = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

export const description = pathOf("docs/architecture.md");

if (import.meta.main) {
  writeFileSync(`${description}.partial`, describedArchitecture());
  renameSync(`${description}.partial`, description);
}
