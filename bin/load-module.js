import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { isNodeNewEnough, neededNode } from "./node-version.js";

/** Loads the module behind an entry of the package: of an older Node the caller learns that, and not what it cannot parse. */
export function loadModule(url) {
  if (!isNodeNewEnough)
    throw new Error(`llava needs Node ${neededNode} or newer; this is ${process.versions.node}`);
  return createRequire(url)(fileURLToPath(url));
}
