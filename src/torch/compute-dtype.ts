import { readFileSync } from "node:fs";
import { isNativeHere, native } from "./binding.ts";
import type { Device } from "./runtime.ts";

/** What a device computes in, and why, as a clause. */
export interface ComputeDType {
  readonly dtype: "float32" | "bfloat16";
  readonly reason: string;
}

/**
 * The vector instructions that libtorch's products use here: AMX-BF16, AVX-512-BF16, AVX-512, AVX2 or what libtorch calls those
 * of other processors. Limits set by ATEN_CPU_CAPABILITY and ONEDNN_MAX_CPU_ISA count.
 */
export const instructionSet = (): string => native.instructionSet();

/**
 * The type that a device computes fastest in: bfloat16 on a GPU and on processors with instructions for it; otherwise float32,
 * since products of bfloat16 are then several times slower. All that may choose a type chooses by this. What can be planned
 * before libtorch is here is planned by what the system says of the processor.
 */
export function fastDType(device: Device = "cpu"): ComputeDType {
  if (device !== "cpu") return { dtype: "bfloat16", reason: "a GPU does the work" };
  if (!isNativeHere()) return fastBySystem();
  const instructions = instructionSet();
  return native.multipliesBfloat16()
    ? { dtype: "bfloat16", reason: `this processor has instructions for it (${instructions})` }
    : { dtype: "float32", reason: `this processor (${instructions}) has no instructions for bfloat16` };
}

function fastBySystem(): ComputeDType {
  const flags = processorFlags();
  const where = "libtorch, which tells it for certain, is not set up here";
  if (flags === undefined) return { dtype: "float32", reason: `nothing tells what is faster; ${where}` };
  return flags.has("avx512_bf16") || flags.has("amx_bf16")
    ? { dtype: "bfloat16", reason: `this processor has instructions for it; ${where}` }
    : { dtype: "float32", reason: `this processor has no instructions for bfloat16; ${where}` };
}

/** What Linux lists of a processor's abilities; undefined on other systems. */
function processorFlags(): ReadonlySet<string> | undefined {
  try {
    const [, flags] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
    return flags === undefined ? undefined : new Set(flags.trim().split(/\s+/));
  } catch {
    return undefined;
  }
}
