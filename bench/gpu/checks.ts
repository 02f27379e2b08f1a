import {
  cudaDevices,
  type Device,
  numThreads,
  setNumThreads,
  synchronize,
  version,
} from "../../src/torch/index.ts";

/** The first GPU; without one the CPU, with small sizes, which tries the scripts alone. */
export const device: Device = gpus() > 0 ? "cuda:0" : "cpu";
export const isGpu = device !== "cpu";

function gpus(): number {
  try {
    return cudaDevices();
  } catch (error) {
    console.log(`# CUDA does not load: ${(error as Error).message.split("\n")[0]}`);
    return 0;
  }
}

/** On a GPU the first, in a try on the CPU the second. */
export const sized = <T>(onGpu: T, inTry: T): T => (isGpu ? onGpu : inTry);

let failed = 0;

/** One line: what was looked at, whether it holds, and what was seen. */
export function check(name: string, holds: boolean, seen: string): void {
  if (!holds) failed++;
  console.log(`${holds ? "ok  " : "FAIL"} ${name}: ${seen}`);
}

/** The same for what a try on the CPU says nothing of, such as speed. */
export function checkSpeed(name: string, holds: boolean, seen: string): void {
  if (isGpu) check(name, holds, seen);
  else console.log(`dry  ${name}: ${seen}`);
}

/** Runs a script's checks; what it throws fails it, and the status says so. */
export async function checks(title: string, body: () => void | Promise<void>): Promise<void> {
  if (!isGpu && numThreads() > 2) setNumThreads(2);
  console.log(`# ${title}: libtorch ${version()}, ${device}`);
  try {
    await body();
  } catch (error) {
    failed++;
    console.log(`FAIL ${title}: ${(error as Error).stack ?? error}`);
  }
  process.exitCode = failed > 0 ? 1 : 0;
}

/** Milliseconds of one run, the shortest of several, with all that it queues on the device. */
export function milliseconds(body: () => void, repeats = sized(10, 1)): number {
  if (isGpu) for (let i = 0; i < 3; i++) body();
  synchronize(device);
  const times = Array.from({ length: repeats }, () => {
    const start = performance.now();
    body();
    synchronize(device);
    return performance.now() - start;
  });
  return Math.min(...times);
}

/** Milliseconds until a run has been queued, the shortest of several. */
export function queueing(body: () => void, repeats = sized(5, 1)): number {
  const times = Array.from({ length: repeats }, () => {
    synchronize(device);
    const start = performance.now();
    body();
    return performance.now() - start;
  });
  synchronize(device);
  return Math.min(...times);
}

/** Dense bfloat16 of an H100 or H200 as its matrix products reach it, operations a second. */
export const REACHED = 790e12;
/** By its data sheet. */
export const PEAK = 989e12;
/** Of an H200's memory, bytes a second. */
export const BANDWIDTH = 4.8e12;

export const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;
