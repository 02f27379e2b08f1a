import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/** Milliseconds of waiting after which the user is told. */
const NOTICEABLE = 1000;

/**
 * Runs `work` while holding flock(2) on a file, as Python's hub client does while it fetches a blob. Node has no such call:
 * util-linux's or busybox's program `flock` holds it, and lets it go when this process ends, however that happens. Where
 * there is no such program or the disk knows no such lock, `work` runs without: the lock spares fetching a file twice,
 * and whatever takes its name in the cache does so whole.
 */
export async function withBlobLock<Result>(
  path: string,
  work: () => Promise<Result>,
  { onWait, signal }: { onWait?: () => void; signal?: AbortSignal | undefined } = {},
): Promise<Result> {
  await mkdir(dirname(path), { recursive: true }).catch(() => {}); // then there is no lock
  const holder = spawn("flock", ["-x", path, "cat"], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<void>((resolve) => holder.once("close", resolve).once("error", () => resolve()));
  const stop = (): void => void holder.kill();
  const patience = setTimeout(() => onWait?.(), NOTICEABLE);
  signal?.addEventListener("abort", stop);
  try {
    holder.stdin.on("error", () => {}); // of a program that is not there
    holder.stdin.write("\n");
    await Promise.race([once(holder.stdout, "data"), ended]);
    clearTimeout(patience);
    signal?.throwIfAborted();
    return await work();
  } finally {
    clearTimeout(patience);
    signal?.removeEventListener("abort", stop);
    holder.stdin.end();
    await ended;
  }
}
