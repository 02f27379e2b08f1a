import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface LockOptions {
  /** Called once when another process holds the lock. */
  onWait?: (holder: string) => void;
  /** Milliseconds between two looks at a lock that is held. */
  interval?: number;
  signal?: AbortSignal;
}

/**
 * Runs `work` while no other process runs its own under the same lock file. A lock whose process has ended without
 * removing it (on this machine) is taken over.
 */
export async function withLock<Result>(
  path: string,
  work: () => Promise<Result>,
  { onWait, interval = 300, signal }: LockOptions = {},
): Promise<Result> {
  await mkdir(dirname(path), { recursive: true });
  const mine = `${process.pid} ${hostname()}`;
  for (let waited = false; !(await tryLock(path, mine)); waited = true) {
    const holder = await readFile(path, "utf8").catch(() => undefined);
    if (holder !== undefined && isAbandoned(holder)) {
      await rm(path, { force: true });
      continue;
    }
    if (!waited) onWait?.(holder ?? "");
    await sleep(interval, undefined, signal ? { signal } : {});
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function isAbandoned(holder: string): boolean {
  const [pid, host] = holder.split(" ");
  if (host !== hostname() || !pid) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
