import { createRequire } from "node:module";
import { LlavaError } from "../errors.ts";
import { locateNative } from "../setup/index.ts";

/** A row in the addon's table of live tensors, or −1 for none. JavaScript never holds a native pointer. */
export type Slot = number;

type CallResult = Slot | Slot[] | (Slot | Slot[] | number | boolean)[] | number | boolean | undefined;

/** The whole surface of the addon (native/src). Only this folder sees it. */
export interface Native {
  resolve(name: string, overload: string): number;
  schema(operator: number): string;
  call(operator: number, ...args: unknown[]): CallResult;

  track(owner: object, slot: Slot): void;
  release(slot: Slot): void;
  releaseAll(slots: Int32Array, count: number): void;
  liveTensors(): number;
  shape(slot: Slot): number[];
  dtype(slot: Slot): number;
  device(slot: Slot): string;
  fromBytes(bytes: Uint8Array, shape: readonly number[], dtype: number): Slot;
  toBytes(slot: Slot): ArrayBuffer;
  item(slot: Slot): number;

  mapFile(path: string): [mapping: object, byteLength: number];
  mappedBytes(mapping: object, start: number, end: number): ArrayBuffer;
  mappedTensor(mapping: object, byteOffset: number, shape: readonly number[], dtype: number): Slot;
  releasePages(slot: Slot): void;

  backward(outputs: Slot[], gradients: Slot[] | undefined, retainGraph: boolean): void;
  gradientsWith(
    outputs: Slot[],
    inputs: Slot[],
    gradients: Slot[] | undefined,
    retainGraph: boolean,
    createGraph: boolean,
  ): Slot[];
  gradient(slot: Slot): Slot;
  setGradient(slot: Slot, gradient: Slot): void;
  requiresGrad(slot: Slot): boolean;
  setRequiresGrad(slot: Slot, value: boolean): void;
  setGradMode(enabled: boolean): boolean;
  enterInference(): void;
  leaveInference(): void;

  version(): string;
  cpuCapability(): string;
  instructionSet(): string;
  multipliesBfloat16(): boolean;
  threads(): number;
  setThreads(count: number): void;
  loadCuda(library: string): number;
  synchronize(device: string): void;
  createGenerator(seed: number, device: string): number;
  releaseGenerator(generator: number): void;
  generatorState(generator: number): Slot;
  setGeneratorState(generator: number, state: Slot): void;

  openStore(host: string, port: number, isServer: boolean, timeout: number): void;
  storeSet(name: string, value: string): void;
  storeGet(name: string): string;
  storeHas(name: string): boolean;
  openGroup(name: string, rank: number, size: number, networkInterface: string, timeout: number): void;
  closeGroups(): void;
}

let loaded: { readonly addon: Native; readonly cudaLibrary: string | undefined } | undefined;

function load(): NonNullable<typeof loaded> {
  if (loaded !== undefined) return loaded;
  const found = locateNative();
  if (found === undefined)
    throw new LlavaError("setup", "libtorch and the native addon are not set up", {
      hint: "Run: npx llava setup",
    });
  // Waiting threads spin for some tens of microseconds, which bridges the gaps between operators, and then sleep: a thread that
  // spins for longer keeps the core that the one it waits for could go on with when another process takes that one's. The
  // OpenMP library reads this as it loads, from the process's own environment, which a worker thread's is a copy of.
  if (process.env["OMP_WAIT_POLICY"] === undefined) process.env["GOMP_SPINCOUNT"] ??= "3000";
  const addon = createRequire(import.meta.url)(found.addonPath) as Native;
  loaded = { addon, cudaLibrary: found.libtorch.cudaLibrary };
  return loaded;
}

/**
 * The addon, which the first function that is asked of it loads: configurations, tokenizers and shapes are read without it.
 * From then on it is the addon itself.
 */
export let native = new Proxy({} as Native, {
  get(_, name) {
    native = load().addon;
    return native[name as keyof Native];
  },
});

/** libtorch's CUDA library, where it has one. */
export const cudaLibrary = (): string | undefined => load().cudaLibrary;

/** Whether the addon is here, loaded or not. */
export const isNativeHere = (): boolean => loaded !== undefined || locateNative() !== undefined;
