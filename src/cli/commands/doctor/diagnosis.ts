import { availableParallelism, cpus } from "node:os";
import { dirname } from "node:path";
import {
  bytesOnDisk,
  bytesToFetch,
  type CachedModel,
  cacheFolder,
  findBuildTools,
  findLibtorch,
  findPython,
  freeBytes,
  isPrebuilt,
  type Libtorch,
  listModels,
  locateNative,
  missingBuildTools,
  type Python,
  programVersion,
  type RejectedLibtorch,
  whyNoPython,
  whyNoWheel,
  whyUnwritable,
} from "../../../setup/index.ts";
import type { ComputeDType } from "../../../torch/index.ts";
import type { AnsweringMemory } from "../../../training/index.ts";
import { familiarMemory, machineMemory } from "../../frame/model-memory.ts";
import { fileSize } from "../../frame/sizes.ts";
import { findGpus, type Gpu, hasCudaLibraries } from "./gpu.ts";

export interface Diagnosis {
  node: string;
  platform: string;
  libtorch: (Libtorch & { cudaUsable: boolean }) | null;
  rejected: RejectedLibtorch[];
  /** Path of the built addon. */
  addon: string | null;
  /** What libtorch's kernels use, its products, and its threads: null until the addon is built. */
  cpu: {
    model: string;
    cores: number;
    capability: string | null;
    instructions: string | null;
    threads: number | null;
  };
  /** What the CPU computes in where nobody says otherwise; null until the addon is built. */
  computing: ComputeDType | null;
  /** Of the machine, in bytes. */
  memory: { total: number; free: number };
  /** What models of familiar sizes take to answer, in each form of their weights. */
  answering: { model: string; forms: AnsweringMemory[] }[];
  gpus: Gpu[];
  /** What set-up borrows; null where the PATH has none that will do. */
  tools: {
    python: Python | null;
    cmake: Tool | null;
    compiler: Tool | null;
    ninja: Tool | null;
    make: Tool | null;
  };
  cache: string;
  /** Why the cache cannot be written; null when it can. */
  cacheUnwritable: string | null;
  cacheFreeBytes: number | null;
  models: CachedModel[];
  problems: Problem[];
}

export interface Tool {
  path: string;
  /** "" where the program does not say. */
  version: string;
}

interface Problem {
  what: string;
  remedy: string;
}

/** Looks at everything that inference and training rely on; changes nothing and needs no network. */
export async function diagnose(): Promise<Diagnosis> {
  const problems: Problem[] = [];
  const located = locateNative();
  const { libtorch, rejected } = located ? { libtorch: located.libtorch, rejected: [] } : findLibtorch();
  for (const { root, source, reason } of rejected) {
    problems.push({
      what: `the libtorch in ${root} (${source}) cannot be used: ${reason}`,
      remedy: source === "env" ? "Correct or unset LIBTORCH." : 'Run "llava setup" for one that can.',
    });
  }
  if (!libtorch && rejected.length === 0) {
    problems.push(
      whyNoWheel() ?? {
        what: "libtorch is not installed",
        remedy: 'Run "llava setup" (0.55 GB to download).',
      },
    );
  }
  if (libtorch && !located)
    problems.push({ what: "the native addon is not built", remedy: 'Run "llava setup".' });

  const runtime = located ? await askAddon(located.addonPath, problems) : undefined;
  const gpus = findGpus();
  const cudaUsable = libtorch?.cudaLibrary !== undefined && hasCudaLibraries(libtorch.cudaLibrary);
  if (gpus.length > 0 && libtorch && !cudaUsable) {
    problems.push({
      what: `this machine has a GPU (${gpus[0]!.name}), but NVIDIA's libraries are not beside this libtorch`,
      remedy: 'Install torch with pip, point LIBTORCH to its folder and run "llava setup".',
    });
  }
  const models = listModels();
  const cache = cacheFolder();
  const { python, rejected: pythons } = await findPython();
  const buildTools = findBuildTools();
  // What set-up has no use for any more is shown, but its absence is no problem.
  const isToFetch = !libtorch || models.some(({ complete }) => !complete);
  if (!python && isToFetch) problems.push(whyNoPython(pythons));
  const missing = located || isPrebuilt(libtorch) ? undefined : missingBuildTools(buildTools);
  if (missing) problems.push(missing);
  const cacheUnwritable = whyUnwritable(cache) ?? null;
  if (cacheUnwritable !== null && isToFetch)
    problems.push({
      what: `the cache ${cache} cannot be written: ${cacheUnwritable}`,
      remedy: "Make it writable, or set LLAVA_HOME to a folder that is.",
    });
  const cacheFreeBytes = freeBytes(cache) ?? null;
  if (!libtorch && cacheFreeBytes !== null && cacheFreeBytes < bytesToFetch + bytesOnDisk)
    problems.push({
      what: `the disk of ${cache} has ${fileSize(cacheFreeBytes)} free, and libtorch needs ${fileSize(bytesToFetch + bytesOnDisk)}`,
      remedy: "Free some, or set LLAVA_HOME to a folder on a larger disk.",
    });
  for (const { name, complete } of models) {
    if (!complete)
      problems.push({ what: `model ${name} is not fetched`, remedy: `Run "llava model pull ${name}".` });
  }
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    libtorch: libtorch ? { ...libtorch, cudaUsable } : null,
    rejected,
    addon: located?.addonPath ?? null,
    cpu: {
      model: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      capability: runtime?.capability ?? null,
      instructions: runtime?.instructions ?? null,
      threads: runtime?.threads ?? null,
    },
    computing: runtime?.computing ?? null,
    memory: machineMemory(),
    answering: await familiarMemory(),
    gpus,
    tools: {
      python: python ?? null,
      cmake: describeTool(buildTools.cmake),
      compiler: describeTool(buildTools.compiler),
      ninja: describeTool(buildTools.ninja),
      make: describeTool(buildTools.make),
    },
    cache,
    cacheUnwritable,
    cacheFreeBytes,
    models,
    problems,
  };
}

const describeTool = (path: string | undefined): Tool | null =>
  path === undefined ? null : { path, version: programVersion(path) };

interface Runtime {
  readonly capability: string;
  readonly instructions: string;
  readonly threads: number;
  readonly computing: ComputeDType;
}

async function askAddon(path: string, problems: Problem[]): Promise<Runtime | undefined> {
  try {
    const torch = await import("../../../torch/index.ts");
    return {
      capability: torch.cpuCapability(),
      instructions: torch.instructionSet(),
      threads: torch.numThreads(),
      computing: torch.fastDType(),
    };
  } catch (error) {
    problems.push({
      what: `the native addon does not load: ${(error as Error).message}`,
      remedy: `Remove ${dirname(path)} and run "llava setup".`,
    });
    return undefined;
  }
}
