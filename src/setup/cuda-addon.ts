import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { withLock } from "../files/index.ts";
import { packagePath } from "../package.ts";
import { buildAddon, hashSources, locateNative, type Native } from "./addon.ts";
import type { Environment } from "./cache.ts";
import type { Libtorch } from "./libtorch.ts";
import type { SetupOptions } from "./options.ts";

const sources = packagePath("native/cuda");
const NAME = "llava_cuda";

/** What its sources include of CUDA and NCCL. */
const needed = ["cuda_runtime.h", "crt/host_config.h", "nccl.h"];

/**
 * Folders with the headers that the addon for CUDA needs: of CUDA_HOME, of NVIDIA's Python packages beside libtorch, or of the
 * usual toolkit. `missing` are those that none has.
 */
export function findCudaHeaders(
  { root }: Pick<Libtorch, "root">,
  env: Environment = process.env,
): { readonly folders: readonly string[]; readonly missing: readonly string[] } {
  const packages = join(dirname(root), "nvidia");
  const candidates = [
    ...[env["CUDA_HOME"], env["NCCL_HOME"]].flatMap((home) => (home ? [join(home, "include")] : [])),
    ...["cu13", "cu12", "cuda_runtime", "nccl"].map((name) => join(packages, name, "include")),
    "/usr/local/cuda/include",
    "/usr/include",
  ];
  const found = needed.map((header) => candidates.find((folder) => existsSync(join(folder, header))));
  return {
    // The compiler knows the system's own folder.
    folders: [...new Set(found)].filter(
      (folder) => folder !== undefined && folder !== "/usr/include",
    ) as string[],
    missing: needed.filter((_, i) => found[i] === undefined),
  };
}

const folderOf = ({ addonPath }: Pick<Native, "addonPath">): string =>
  join(dirname(addonPath), `cuda-${hashSources(sources).slice(0, 8)}`);

/** The addon for CUDA, where it is built for the main one that is in use. */
export function locateCudaAddon(env: Environment = process.env): string | undefined {
  const native = locateNative(env);
  const path = native && join(folderOf(native), `${NAME}.node`);
  return path !== undefined && existsSync(path) ? path : undefined;
}

/**
 * Builds the addon for CUDA where libtorch has CUDA and its headers are here. Where they are not, nothing but groups of GPUs, recorded
 * work and memory statistics is missing, so that this is told and no error.
 */
export async function ensureCudaAddon(
  native: Native,
  options: SetupOptions = {},
): Promise<string | undefined> {
  const { env = process.env, report, signal } = options;
  const { libtorch } = native;
  if (libtorch.cudaLibrary === undefined) return undefined;
  const folder = folderOf(native);
  const path = join(folder, `${NAME}.node`);
  if (existsSync(path)) return path;
  const { folders, missing } = findCudaHeaders(libtorch, env);
  if (missing.length > 0) {
    // The pinned wheels of libtorch for the CPU hold a CUDA library that cannot be loaded without NVIDIA's others.
    if (libtorch.source !== "cache")
      report?.(
        `No addon for CUDA, which several GPUs need: ${missing.join(", ")} not found. Install nvidia-nccl-cu13 and ` +
          "nvidia-cuda-crt with pip beside torch, or set CUDA_HOME and NCCL_HOME.",
      );
    return undefined;
  }
  return withLock(
    `${folder}.lock`,
    async () => {
      if (existsSync(path)) return path;
      report?.("Building the addon for CUDA (about half a minute).");
      const settings = [`-DCUDA_HEADERS=${folders.join(";")}`];
      await buildAddon({ libtorch, folder, source: sources, name: NAME, settings }, options);
      return path;
    },
    { ...(signal && { signal }) },
  );
}
