import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Of the packages in which Node itself is on the package index. */
const release = "24.21.0";

/**
 * A Node that is new enough: that of the checkout's node_modules, else one of the cache, which the machine's own npm
 * fetches the first time. Undefined where it cannot; npm has then said why.
 */
export function ownNode() {
  const installed = fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url));
  if (existsSync(installed)) return installed;
  const { LLAVA_HOME, XDG_CACHE_HOME } = process.env;
  const cache = LLAVA_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "llava");
  const folder = join(cache, `node-${release}-${process.platform}-${process.arch}`);
  const packageName = `node-${process.platform}-${process.arch}`;
  const node = join(folder, "node_modules", packageName, "bin/node");
  if (existsSync(node)) return node;
  try {
    mkdirSync(dirname(folder), { recursive: true });
    const partial = mkdtempSync(`${folder}.partial-`);
    console.error(`llava: fetching Node ${release} (about 50 MB), since this is ${process.versions.node}.`);
    const args = ["install", "--prefix", partial, "--no-audit", "--no-fund", "--loglevel", "error"];
    spawnSync("npm", [...args, `${packageName}@${release}`], { stdio: ["ignore", 2, 2] });
    // Another process may have been faster: its folder is as good.
    if (existsSync(join(partial, "node_modules", packageName)) && !existsSync(folder))
      renameSync(partial, folder);
    rmSync(partial, { recursive: true, force: true });
  } catch (error) {
    console.error(`llava: ${error.message}`);
  }
  return existsSync(node) ? node : undefined;
}
