import { LlavaError } from "../errors.ts";
import { deviceHint, devicePattern } from "../setup/index.ts";
import { cudaLibrary, native } from "./binding.ts";

export const version = (): string => native.version();
/** The vector instructions that libtorch's kernels use here: DEFAULT, AVX2, AVX512 … */
export const cpuCapability = (): string => native.cpuCapability();
export const numThreads = (): number => native.threads();
export const setNumThreads = (count: number): void => native.setThreads(count);

/** "cpu", "cuda" or "cuda:N". */
export type Device = string;

let gpus: number | undefined;

/** Number of CUDA devices. Loads libtorch's CUDA library at the first call; 0 where there is none. */
export function cudaDevices(): number {
  if (gpus !== undefined) return gpus;
  const library = cudaLibrary();
  if (library === undefined) return 0;
  gpus = native.loadCuda(library);
  return gpus;
}

/** Checks a device's name and makes it usable. */
export function useDevice(device: Device): Device {
  const match = devicePattern.exec(device);
  if (match === null) throw new LlavaError("usage", `unknown device "${device}"`, { hint: deviceHint });
  if (device === "cpu") return device;
  const index = Number(match[1] ?? 0);
  let count: number;
  try {
    count = cudaDevices();
  } catch (error) {
    throw new LlavaError(
      "setup",
      `device "${device}": libtorch's CUDA library does not load: ${(error as Error).message}`,
      {
        hint: "Use cpu, or install PyTorch with its CUDA packages and point LIBTORCH at it; `llava doctor` shows what is in use.",
        cause: error,
      },
    );
  }
  if (index >= count)
    throw new LlavaError("setup", `device "${device}" asked for, but ${count} CUDA devices are visible`, {
      hint: "`llava doctor` shows the libtorch in use; a CPU-only set-up has no CUDA library.",
    });
  return `cuda:${index}`;
}

/** Waits for the work queued on a device. */
export const synchronize = (device: Device): void => native.synchronize(device);
