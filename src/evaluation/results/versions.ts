import { execFile } from "node:child_process";
import { realpath } from "node:fs/promises";
import { promisify } from "node:util";
import { packagePath, packageVersion } from "../../package.ts";

export interface Versions {
  readonly llava: string;
  readonly node: string;
  /** Of the checkout that this program runs from; null where it is installed without one. */
  readonly commit: string | null;
}

export async function readVersions(): Promise<Versions> {
  return { llava: packageVersion(), node: process.versions.node, commit: await readCommit() };
}

async function readCommit(): Promise<string | null> {
  try {
    const root = await realpath(packagePath(""));
    const ask = ["-C", root, "rev-parse", "--show-toplevel", "HEAD"];
    const { stdout } = await promisify(execFile)("git", ask, { encoding: "utf8" });
    const [top, commit] = stdout.trim().split("\n");
    // An installed package may lie inside somebody else's checkout.
    return top === root && commit ? commit : null;
  } catch {
    return null;
  }
}
