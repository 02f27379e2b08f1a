import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "./cache.ts";
import { runCommand } from "./command.ts";
import { pipFailure } from "./failure-causes.ts";
import type { Progress, ProgressFactory } from "./progress.ts";
import { requirePython } from "./python.ts";

export interface PipOptions {
  progress: ProgressFactory;
  /** An existing folder on the same file system as the destination; pip downloads in it. */
  temporary: string;
  log: string;
  env?: Environment;
  signal?: AbortSignal;
}

const scales = { bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9 } as const;

/**
 * Runs the machine's pip quietly and reports each download. pip's own machine-readable progress only exists in newer
 * versions, so the bytes are read from the file that grows in its temporary folder.
 * @throws LlavaError "setup" or "network" by what stands in the way
 */
export async function runPip(
  args: readonly string[],
  { progress, temporary, log, env = process.env, signal }: PipOptions,
): Promise<void> {
  const python = await requirePython(env, signal);
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
      python.path,
      ["-m", "pip", ...args, "--progress-bar", "off", "--no-cache-dir", "--disable-pip-version-check"],
      {
        env: { ...env, TMPDIR: temporary, PYTHONUNBUFFERED: "1", PIP_REQUIRE_VIRTUALENV: "false" },
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
          } else if (line.startsWith("Saved")) {
            finishDownload();
            bar = undefined;
          }
        },
      },
    );
    if (status !== 0) throw pipFailure(status, tail, log, env);
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
