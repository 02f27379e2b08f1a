import { createRequire } from "node:module";
import { LlavaError } from "../errors.ts";
import { locateCudaAddon } from "../setup/index.ts";
import { explain } from "./errors.ts";
import { cudaDevices, type Device } from "./runtime.ts";
import { scope } from "./scope.ts";

/** native/cuda, which is there where CUDA is. */
interface CudaNative {
  ncclVersion(): string;
  openNccl(group: string, device: number, timeout: number): void;
  enterSideStream(): void;
  leaveSideStream(): void;
  beginCapture(): number;
  endCapture(graph: number): void;
  replay(graph: number): void;
  releaseGraph(graph: number): void;
  memory(device: number): readonly [inUse: number, mostInUse: number, held: number, mostHeld: number];
  resetPeak(device: number): void;
  emptyCache(): void;
}

let loaded: CudaNative | undefined;

/** @throws LlavaError "setup" where it is not built */
function cuda(): CudaNative {
  if (loaded) return loaded;
  const path = locateCudaAddon();
  if (path === undefined)
    throw new LlavaError("setup", "the addon for CUDA is not built", {
      hint: "Run llava setup where libtorch has CUDA: it says what is missing.",
    });
  cudaDevices(); // its symbols are those of libtorch's CUDA library
  loaded = createRequire(import.meta.url)(path) as CudaNative;
  return loaded;
}

const explained = <T>(what: string, body: (addon: CudaNative) => T): T => {
  const addon = cuda();
  try {
    return body(addon);
  } catch (error) {
    throw explain(error, what, []);
  }
};

const indexOf = (device: Device): number => Number(device.split(":")[1] ?? 0);

export const ncclVersion = (): string => explained("NCCL", (addon) => addon.ncclVersion());

/** From here on CUDA tensors of a group of processes go by NCCL, over this device. `timeout` in milliseconds. */
export const openNccl = (group: string, device: Device, timeout: number): void =>
  explained("NCCL", (addon) => addon.openNccl(group, indexOf(device), timeout));

/** Bytes of a GPU's memory that tensors take, and that libtorch holds for them. */
export interface CudaMemory {
  readonly inUse: number;
  readonly mostInUse: number;
  readonly held: number;
  readonly mostHeld: number;
}

export function cudaMemory(device: Device): CudaMemory {
  const [inUse, mostInUse, held, mostHeld] = explained("memory", (addon) => addon.memory(indexOf(device)));
  return { inUse, mostInUse, held, mostHeld };
}

/** The most is counted from here on. */
export const resetCudaPeak = (device: Device): void =>
  explained("memory", (addon) => addon.resetPeak(indexOf(device)));

/** Gives back what libtorch holds and no tensor takes. */
export const releaseCudaMemory = (): void => explained("memory", (addon) => addon.emptyCache());

/** Work that is done again as it was recorded. */
export interface RecordedWork extends Disposable {
  run(): void;
}

/** Passes before a recording, in which libraries choose their kernels. */
const WARM_UPS = 3;

/**
 * Records what `body` queues on a device as one CUDA graph (on the CPU `body` simply runs again). It reads and writes tensors that
 * stay, sees nothing of what changes between runs but through them, and asks for no value. It has run a few times when this
 * returns: what it changed is for the caller to set back.
 */
export function recordWork(device: Device, body: () => void): RecordedWork {
  if (device === "cpu") return { run: () => scope(body), [Symbol.dispose]() {} };
  return explained("CUDA graph", (addon) => {
    addon.enterSideStream();
    try {
      for (let i = 0; i < WARM_UPS; i++) scope(body);
      const graph = addon.beginCapture();
      try {
        scope(body);
      } finally {
        addon.endCapture(graph);
      }
      return {
        run: () => addon.replay(graph),
        [Symbol.dispose]: () => addon.releaseGraph(graph),
      };
    } finally {
      addon.leaveSideStream();
    }
  });
}
