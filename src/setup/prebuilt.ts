import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type CommandOptions, runCommand } from "./command.ts";
import { libtorchRelease } from "./libtorch.ts";

/** What a prebuilt addon was made for, as key.json beside it tells. */
export interface PrebuiltKey {
  /** Full version, such as "2.15.0+cu132". */
  readonly libtorch: string;
  /** SHA-256 of native/ and Node-API's headers. */
  readonly sources: string;
}

export interface Prebuilt {
  readonly addonPath: string;
  readonly key: PrebuiltKey;
}

/** Name of the package that carries the addon for this platform. It is optional, and asked for by this name alone. */
export const prebuiltPackage = `llava-addon-${process.platform}-${process.arch}`;

export function findPrebuilt(): Prebuilt | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${prebuiltPackage}/key.json`);
    const key = JSON.parse(readFileSync(manifest, "utf8")) as PrebuiltKey;
    return { addonPath: join(dirname(manifest), "llava.node"), key };
  } catch {
    return undefined;
  }
}

/** Whether it is of these sources and a libtorch; without one, of the release that will be fetched. */
export function fits(
  prebuilt: Prebuilt | undefined,
  sources: string,
  libtorch?: string,
): prebuilt is Prebuilt {
  if (prebuilt === undefined) return false;
  const { key } = prebuilt;
  const isVersion =
    libtorch === undefined ? key.libtorch.split("+")[0] === libtorchRelease : key.libtorch === libtorch;
  return isVersion && key.sources === sources;
}

/** Loads an addon in a process of its own, which it may end; the last line of what went wrong, or undefined. */
export async function loads(addonPath: string, options: CommandOptions): Promise<string | undefined> {
  const script =
    "try { process.dlopen({ exports: {} }, process.argv[1]) } catch (error) { console.log(error.message); process.exit(1) }";
  const { status, tail } = await runCommand(process.execPath, ["-e", script, addonPath], options);
  return status === 0 ? undefined : (tail.at(-1) ?? `status ${status}`);
}
