import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Gpu {
  name: string;
  memoryMiB?: number;
  driver?: string;
}

/** NVIDIA's GPUs on this machine, from nvidia-smi or, where it is missing, from the driver's files. */
export function findGpus(): Gpu[] {
  try {
    const query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"];
    const stdio = ["ignore", "pipe", "ignore"] as const;
    const output = execFileSync("nvidia-smi", query, {
      encoding: "utf8",
      stdio: [...stdio],
      timeout: 15_000,
    });
    return output
      .trim()
      .split("\n")
      .map((line) => line.split(", "))
      .filter((fields) => fields.length === 3)
      .map(([name, memory, driver]) => ({ name: name!, memoryMiB: Number(memory), driver: driver! }));
  } catch {
    const folder = "/proc/driver/nvidia/gpus";
    if (!existsSync(folder)) return [];
    return readdirSync(folder).map((gpu) => {
      const information = readFileSync(join(folder, gpu, "information"), "utf8");
      return { name: information.match(/^Model:\s*(.+)$/m)?.[1] ?? "NVIDIA GPU" };
    });
  }
}

/**
 * Whether NVIDIA's libraries, which libtorch_cuda needs, lie beside it as pip installs them. The CPU-only installation
 * has libtorch_cuda.so without them.
 */
export function hasCudaLibraries(cudaLibrary: string): boolean {
  const packages = join(dirname(cudaLibrary), "../../nvidia");
  const folders = existsSync(packages) ? readdirSync(packages) : [];
  return folders.some((folder) => {
    const library = join(packages, folder, "lib");
    return existsSync(library) && readdirSync(library).some((name) => name.startsWith("libcublas.so"));
  });
}
