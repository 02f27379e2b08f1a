import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { AnsweringMemory } from "../../../training/index.ts";
import { fileSize } from "../../frame/sizes.ts";
import { type Diagnosis, diagnose, type Tool } from "./diagnosis.ts";

export function configure(command: Command): void {
  command
    .description(
      "Show what is installed, what the machine offers and what set-up needs; for each problem, what to do. Ends with 1 when there are problems.",
    )
    .option("--json", "print everything as JSON")
    .addHelpText(
      "after",
      `
Variables that set-up goes by:
  LLAVA_HOME        where everything that is downloaded is kept (default: $XDG_CACHE_HOME/llava, ~/.cache/llava)
  LIBTORCH          folder of a libtorch or torch package to use instead of installing one
  CXX               the C++ compiler
  HF_HUB_CACHE      where models of the hub are kept, shared with Python's hub client (also HUGGINGFACE_HUB_CACHE; default:
                    $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub)
  HF_TOKEN          who you are for gated and private models (also HUGGING_FACE_HUB_TOKEN; default: what hf auth login
                    wrote, where HF_TOKEN_PATH says, unless HF_HUB_DISABLE_IMPLICIT_TOKEN=1)
  HF_ENDPOINT       the hub or a mirror of it (default: https://huggingface.co)
  HF_HUB_OFFLINE    1: only what is on this machine (also TRANSFORMERS_OFFLINE)
  HF_HUB_DISABLE_SYMLINKS
                    1: files instead of links in the hub's cache
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY

Example:
  llava doctor --json`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const diagnosis = await diagnose();
      process.stdout.write(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : render(diagnosis));
      const { length } = diagnosis.problems;
      if (length > 0)
        throw new LlavaError("setup", `${length} ${length === 1 ? "problem" : "problems"} found`, {
          hint: `What to do about ${length === 1 ? "it" : "each"} is in the output above.`,
        });
    });
}

const untilBuilt = "unknown until the addon is built";

function render(diagnosis: Diagnosis): string {
  const { node, platform, libtorch, addon, cpu, computing, memory, answering, ...others } = diagnosis;
  const { gpus, tools, cache, models, problems } = others;
  const { python, cmake, compiler, ninja, make } = tools;
  const cuda = libtorch?.cudaUsable ? "with CUDA" : "CPU only";
  const rows: [string, string][] = [
    ["node", `${node}, ${platform}`],
    [
      "libtorch",
      libtorch ? `${libtorch.version}, ${cuda}, from ${libtorch.source}: ${libtorch.root}` : "none",
    ],
    ["addon", addon ?? "not built"],
    ["cpu", [cpu.model, `${cpu.cores} cores`, cpu.instructions].filter(Boolean).join(", ")],
    ["computes in", computing ? `${computing.dtype}: ${computing.reason}` : untilBuilt],
    ["threads", cpu.threads === null ? untilBuilt : String(cpu.threads)],
    ["memory", `${fileSize(memory.total)}, ${fileSize(memory.free)} of it free`],
    ...answering.map(({ model, forms }): [string, string] => [
      "weights",
      `${model}: ${describeForms(forms, memory.total)}`,
    ]),
    ["gpu", gpus.map(describeGpu).join("; ") || "none"],
    ["python", python ? `${python.version} with pip ${python.pip}: ${python.path}` : "none that will do"],
    ["cmake", describeTool(cmake)],
    ["compiler", describeTool(compiler)],
    ["builder", describeTool(ninja ?? make)],
    ["cache", `${cache}, ${describeCache(diagnosis)}`],
    ...models.map(({ name, complete, bytes }): [string, string] => [
      "model",
      `${name}, ${complete ? fileSize(bytes) : "not fetched"}`,
    ]),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const lines = rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`);
  const findings = problems.flatMap(({ what, remedy }) => [`- ${what}`, `  ${remedy}`]);
  const verdict = problems.length === 0 ? ["No problems found."] : ["Problems:", ...findings];
  return `${[...lines, "", ...verdict].join("\n")}\n`;
}

const describeTool = (tool: Tool | null): string =>
  tool ? `${tool.version || "unknown version"}: ${tool.path}` : "none";

function describeCache({ cacheUnwritable, cacheFreeBytes }: Diagnosis): string {
  const free = cacheFreeBytes === null ? "" : `, ${fileSize(cacheFreeBytes)} free`;
  return `${cacheUnwritable === null ? "writable" : `cannot be written: ${cacheUnwritable}`}${free}`;
}

/** What each takes in all, for a prompt as long as the model reads. */
const describeForms = (forms: readonly AnsweringMemory[], memory: number): string =>
  forms
    .filter(({ weights }) => weights !== "stored")
    .map(({ weights, total }) => `${weights} ${fileSize(total)}${total <= memory ? "" : " (too much)"}`)
    .join(", ");

function describeGpu({ name, memoryMiB, driver }: Diagnosis["gpus"][number]): string {
  const details = [memoryMiB && `${memoryMiB} MiB`, driver && `driver ${driver}`].filter(Boolean);
  return [name, ...details].join(", ");
}
