import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { ensureCudaAddon, findCudaHeaders } from "./cuda-addon.ts";

const folder = temporaryFolder("llava-cuda");
const put = (...names: readonly string[]): void => {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), "");
  }
};
const root = join(folder, "site/torch");

test("headers of CUDA and NCCL are found beside libtorch, each in its folder, and in CUDA_HOME first", () => {
  put("site/nvidia/cu13/include/cuda_runtime.h", "site/nvidia/nccl/include/nccl.h");
  assert.ok(findCudaHeaders({ root }, {}).folders.includes(join(folder, "site/nvidia/nccl/include")));
  put("site/nvidia/cu13/include/crt/host_config.h");
  const found = findCudaHeaders({ root }, {});
  assert.deepEqual(found.missing, []);
  assert.deepEqual(found.folders, [
    join(folder, "site/nvidia/cu13/include"),
    join(folder, "site/nvidia/nccl/include"),
  ]);
  put("toolkit/include/cuda_runtime.h", "toolkit/include/crt/host_config.h");
  const { folders } = findCudaHeaders({ root }, { CUDA_HOME: join(folder, "toolkit") });
  assert.deepEqual(folders, [join(folder, "toolkit/include"), join(folder, "site/nvidia/nccl/include")]);
});

test("what is missing is told, and no error; a libtorch without CUDA has no such addon", async () => {
  const lines: string[] = [];
  const libtorch = { root: join(folder, "none/torch"), version: "2.15.0", source: "python" as const };
  const native = { addonPath: join(folder, "addon/llava.node"), libtorch };
  const report = (line: string) => void lines.push(line);
  assert.equal(await ensureCudaAddon(native, { env: {}, report }), undefined);
  assert.deepEqual(lines, []);
  const withCuda = { ...native, libtorch: { ...libtorch, cudaLibrary: "libtorch_cuda.so" } };
  assert.equal(await ensureCudaAddon(withCuda, { env: {}, report }), undefined);
  assert.match(lines.join(), /nccl\.h not found/);
});
