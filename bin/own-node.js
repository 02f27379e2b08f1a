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
  let partial;
  try {
    makeFolders(dirname(folder));
    partial = mkdtempSync(`${folder}.partial-`);
    console.error(`llava: fetching Node ${release} (about 50 MB), since this is ${process.versions.node}.`);
    const args = ["install", "--prefix", partial, "--no-audit", "--no-fund", "--loglevel", "error"];
    spawnSync("npm", [...args, `${packageName}@${release}`], { stdio: ["ignore", 2, 2] });
    if (existsSync(join(partial, "node_modules", packageName))) renameSync(partial, folder);
  } catch (error) {
    // Another process may have been faster: its folder is as good.
    if (!existsSync(node)) console.error(`llava: ${error.message}`);
  } finally {
    if (partial) rmSync(partial, { recursive: true, force: true });
  }
  return existsSync(node) ? node : undefined;
}

/** Node's own recursion does not end where a folder cannot be made in one that exists, as in /proc. */
function makeFolders(folder) {
  if (existsSync(folder)) return;
  makeFolders(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}
