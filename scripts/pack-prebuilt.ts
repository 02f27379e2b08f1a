/**
 * Builds the addon for this machine's platform and packs it as a package of its own, which `llava` takes where it fits:
 * the first answer then needs no compiler. It is made on the oldest system that it shall load on.
 *
 *   node scripts/pack-prebuilt.ts [--output FOLDER]
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { packageVersion } from "../src/package.ts";
import {
  ensureNative,
  hashSources,
  libtorchRelease,
  type PrebuiltKey,
  prebuiltPackage,
} from "../src/setup/index.ts";
import { pathOf } from "./architecture.ts";

const { values } = parseArgs({ options: { output: { type: "string", default: "." } } });
const { addonPath, libtorch } = await ensureNative({ prebuilt: undefined, report: console.error });
if (libtorch.version.split("+")[0] !== libtorchRelease)
  throw new Error(
    `libtorch ${libtorch.version} is here; a prebuilt addon is for the pinned ${libtorchRelease}`,
  );

const { platform, arch } = process;
const key: PrebuiltKey = { libtorch: libtorch.version, sources: hashSources() };
const description = {
  name: prebuiltPackage,
  version: packageVersion(),
  description: `The native addon of llava, built for ${platform} ${arch} and libtorch ${libtorch.version}`,
  license: "Apache-2.0",
  os: [platform],
  cpu: [arch],
  ...(platform === "linux" && { libc: ["glibc"] }),
  exports: { "./key.json": "./key.json", "./package.json": "./package.json" },
};

const folder = mkdtempSync(join(tmpdir(), "llava-prebuilt-"));
try {
  copyFileSync(addonPath, join(folder, "llava.node"));
  copyFileSync(pathOf("LICENSE"), join(folder, "LICENSE"));
  writeFileSync(join(folder, "key.json"), `${JSON.stringify(key, null, 2)}\n`);
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(description, null, 2)}\n`);
  const output = resolve(values.output);
  mkdirSync(output, { recursive: true });
  const { status } = spawnSync("npm", ["pack", "--pack-destination", output], {
    cwd: folder,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
