import { readFileSync, readlinkSync } from "node:fs";
import { readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRefusal, makeFolders, unwritable } from "./refusals.ts";

export interface LockOptions {
  /** Called once when another process holds the lock, with words that say which one, where the lock is and what to do. */
  onWait?: (holder: string) => void;
  /** Milliseconds between two looks at a lock that is held. */
  interval?: number;
  /**
   * Milliseconds without a sign of life after which a lock of another machine is taken over. Its holder gives one every
   * tenth of them, unless it blocks its event loop.
   */
  patience?: number;
  signal?: AbortSignal;
}

const DEFAULT_PATIENCE = 60_000;
/** For work that computes for minutes at a time without giving the event loop a turn. */
export const slowLockPatience = 900_000;
/** A lock whose last sign of life is this many times the patience ago by the clock is old, however far clocks differ. */
const CLOCK_TOLERANCE = 10;
/** Milliseconds that taking a lock away cannot last: a process whose turn is older was ended in it. */
const TURN = 60_000;

/**
 * Runs `work` while no other process runs its own under the same lock file. A lock whose process has ended without
 * removing it is taken over: at once where that can be seen (this machine), else when it shows no sign of life.
 * @throws LlavaError "setup" when the lock's folder cannot be written
 */
export async function withLock<Result>(
  path: string,
  work: () => Promise<Result>,
  { onWait, interval = 300, patience = DEFAULT_PATIENCE, signal }: LockOptions = {},
): Promise<Result> {
  const mine = processMark();
  let told = false;
  let seen = { content: "", touched: 0, since: 0 };
  while (!(await tryLock(path, mine))) {
    const held = await look(path);
    if (held === undefined) continue;
    const now = performance.now();
    if (held.content !== seen.content || held.touched !== seen.touched) seen = { ...held, since: now };
    const silent = now - seen.since > patience || Date.now() - held.touched > CLOCK_TOLERANCE * patience;
    const alive = isAlive(held.content);
    if (alive === false || (alive === undefined && silent)) {
      if (!(await takeAway(path, held.content))) await sleep(interval, undefined, signal ? { signal } : {});
      continue;
    }
    if (!told) onWait?.(describe(path, held.content, alive, patience));
    told = true;
    await sleep(interval, undefined, signal ? { signal } : {});
  }
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), patience / 10);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if ((await look(path))?.content === mine) await rm(path, { force: true });
  }
}

async function tryLock(path: string, content: string): Promise<boolean> {
  const refused = (error: unknown): unknown => (isRefusal(error) ? unwritable(dirname(path), error) : error);
  try {
    makeFolders(dirname(path));
  } catch (error) {
    throw refused(error);
  }
  try {
    await writeFile(path, content, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw refused(error);
  }
}

/** A lock's content, "" where it cannot be read; undefined when the lock has gone. */
async function look(path: string): Promise<{ content: string; touched: number } | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    return { content: await readFile(path, "utf8").catch(() => ""), touched: mtimeMs };
  } catch {
    return undefined;
  }
}

/**
 * Removes an abandoned lock, if it still is the one that was judged: one process at a time looks and removes, so that none
 * takes away the lock that another has just got. Returns whether it was this process's turn.
 */
async function takeAway(path: string, abandoned: string): Promise<boolean> {
  const turn = `${path}.takeover`;
  try {
    await writeFile(turn, "", { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unwritable(dirname(path), error);
    const begun = await look(turn);
    if (begun !== undefined && Date.now() - begun.touched > TURN) await rm(turn, { force: true });
    return false;
  }
  try {
    if ((await look(path))?.content === abandoned) await rm(path, { force: true });
  } finally {
    await rm(turn, { force: true });
  }
  return true;
}

/** Process ids mean something only within one boot of one machine, and there within one namespace of a container. */
const machine = machineIdentity();

function machineIdentity(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;
  } catch {
    return "-";
  }
}

/** Names this process, another one each time, so that others can see whether it runs: see `isAlive`. */
export const processMark = (): string =>
  `${process.pid} ${hostname()} ${machine} ${Date.now()}.${Math.random().toString(36).slice(2)}`;

/** Whether the process of a mark runs; undefined where that cannot be seen from here. */
export function isAlive(content: string): boolean | undefined {
  const [pid, host, where = machine] = content.split(" ");
  if (host !== hostname() || where !== machine || !/^\d+$/.test(pid ?? "")) return undefined;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function describe(path: string, content: string, alive: boolean | undefined, patience: number): string {
  const [pid, host] = content.split(" ");
  const holder = pid && host ? `process ${pid} on ${host}` : "an unknown process";
  const until = alive
    ? ""
    : `; it is taken over after ${Math.round(patience / 1000)} s without a sign of life`;
  return `${holder} holds ${path}${until}`;
}
