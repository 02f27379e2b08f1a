import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { copyFile, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { writeAtomically } from "../../files/index.ts";
import { cacheFolder, type Environment } from "../cache.ts";
import { hubCache, isOn } from "./account.ts";

/**
 * A model repository in a cache that is laid out as Python's hub client does, so that either finds what the other has
 * fetched: contents under their hashes in `blobs`, links to them by commit in `snapshots`, commits of branches and tags
 * in `refs`. (Source: huggingface_hub's file_download.py.)
 */
export class HubStorage {
  readonly root: string;
  readonly folder: string;

  constructor(root: string, repository: string) {
    this.root = root;
    this.folder = join(root, `${PREFIX}${repository.replaceAll("/", "--")}`);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  /** Python's client begins anew what was interrupted; this project goes on with it, in a folder of its own. */
  partial(etag: string): string {
    return join(this.folder, ".llava", `${etag}.partial`);
  }

  /** Which files a commit has: Python's client keeps it in the same place and form. */
  tree(commit: string): string {
    return join(this.folder, "trees", `${commit}.json`);
  }

  /** What whoever fetches a blob holds by flock(2). */
  lock(etag: string): string {
    return join(this.root, ".locks", basename(this.folder), `${etag}.lock`);
  }

  /** A folder with links to those of a commit's files that make one model, where it has several. */
  view(commit: string, part: string): string {
    return join(this.folder, "views", commit, part);
  }

  /** The commit that was last known for a revision, which may be one itself. */
  commitOf(revision: string): string {
    const path = join(this.folder, "refs", revision);
    return (sizeOf(path) !== undefined && readFileSync(path, "utf8").trim()) || revision;
  }

  /** The branches and tags that are known to be at a commit. */
  revisionsOf(commit: string): string[] {
    const folder = join(this.folder, "refs");
    const names = existsSync(folder) ? (readdirSync(folder, { recursive: true }) as string[]) : [];
    return names.filter((name) => sizeOf(join(folder, name)) !== undefined && this.commitOf(name) === commit);
  }

  setCommit(revision: string, commit: string): void {
    if (this.commitOf(revision) !== commit)
      writeAtomically(join(this.folder, "refs", revision), [commit], {
        code: "setup",
        makesFolder: true,
      });
  }

  /** Makes the folder of a snapshot, and the mark by which programs that make backups leave out a cache. */
  async prepare(commit: string): Promise<void> {
    await mkdir(this.snapshot(commit), { recursive: true });
    const mark = join(this.root, "CACHEDIR.TAG");
    await writeFile(mark, CACHE_MARK, { flag: "wx" }).catch(() => {});
  }

  /** Gives a blob its name in a snapshot: a link, or where there are none the file itself, which no other name has if it is new. */
  async point(
    { commit, name, etag, isNew }: { commit: string; name: string; etag: string; isNew: boolean },
    env: Environment,
  ): Promise<void> {
    const path = join(this.snapshot(commit), name);
    const blob = this.blob(etag);
    await mkdir(dirname(path), { recursive: true });
    if (await linkTo(relative(dirname(path), blob), path, env)) return;
    if (isNew) return await rename(blob, path);
    const beside = besides(path);
    await copyFile(blob, beside);
    await rename(beside, path);
  }
}

/** Makes a symbolic link in the place of whatever is there. Returns false on a disk that has none. */
export async function linkTo(target: string, path: string, env: Environment): Promise<boolean> {
  if (isOn(env["HF_HUB_DISABLE_SYMLINKS"])) return false;
  const beside = besides(path);
  try {
    await symlink(target, beside);
  } catch (error) {
    if (withoutLinks.includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
  await rename(beside, path);
  return true;
}

const withoutLinks = ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL"];

/** A name for what is on its way to `path`, of this process alone. */
export const besides = (path: string): string =>
  `${path}.${process.pid}.${Math.random().toString(36).slice(2, 10)}.tmp`;

const PREFIX = "models--";

/** The name of a repository from that of its folder; undefined for what is no model's. */
export const repositoryOf = (folder: string): string | undefined =>
  folder.startsWith(PREFIX) ? folder.slice(PREFIX.length).replace("--", "/") : undefined;

/** Where a repository may be: in the cache of Python's client, and in this project's own, for where that is read-only. */
export const hubStorages = (repository: string, env: Environment): HubStorage[] =>
  hubRoots(env).map((root) => new HubStorage(root, repository));

const hubRoots = (env: Environment): string[] => [...new Set([hubCache(env), ownRoot(env)])];

export const ownRoot = (env: Environment): string => join(cacheFolder(env), "hub");

/** A large file that is under its hash in any model's folder. */
export function findHubFile(sha256: string, env: Environment): string | undefined {
  return hubRoots(env)
    .filter((root) => statSync(root, { throwIfNoEntry: false })?.isDirectory())
    .flatMap((root) => readdirSync(root).map((folder) => join(root, folder, "blobs", sha256)))
    .find((path) => sizeOf(path) !== undefined);
}

/** Bytes of a file, through links; undefined where there is none. */
export function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
}

/** By the standard for such marks, https://bford.info/cachedir, as Python's client writes it. */
const CACHE_MARK = `Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by huggingface_hub.
# For information about cache directory tags, see:
#\thttps://bford.info/cachedir/
`;
