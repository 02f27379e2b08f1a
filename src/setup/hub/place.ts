import { join } from "node:path";
import { isRefusal, unwritable, withLock } from "../../files/index.ts";
import { makeCacheFolder } from "../cache.ts";
import { downloadFile } from "../download.ts";
import type { ResolveOptions, SetupOptions } from "../options.ts";
import type { RetryOptions } from "../retry.ts";
import { fileAddress, hubAccess } from "./address.ts";
import { adopt, adoptPartial, isFileOf } from "./adopt.ts";
import { withBlobLock } from "./blob-lock.ts";
import { isThere } from "./find.ts";
import type { HubId } from "./id.ts";
import { askForFile, type HubFile, type HubListing } from "./listing.ts";
import { hubRefusal } from "./refusals.ts";
import { findHubFile, type HubStorage, sizeOf } from "./storage.ts";

export interface HubOptions
  extends Pick<ResolveOptions, keyof SetupOptions | "refresh">,
    Pick<RetryOptions, "retries" | "pause"> {}

type Named = HubFile & { etag: string };

/** The hub names the content of large files by their SHA-256. */
const isLarge = ({ etag }: Named): boolean => etag.length === 64;

/** The variable that moves the cache of Python's client. */
const variable = "HF_HUB_CACHE";

/** Puts files of a commit into a cache, from elsewhere on this machine or from the hub. */
export class Placing {
  readonly #id: HubId;
  readonly #commit: string;
  readonly #target: HubStorage;
  readonly #folder: string;
  readonly #others: readonly string[];
  readonly #options: HubOptions;
  #isPrepared = false;

  /** @param folders that may have some of the files, under the same names */
  constructor(
    id: HubId,
    { commit }: HubListing,
    target: HubStorage,
    folders: readonly string[],
    options: HubOptions,
  ) {
    this.#id = id;
    this.#commit = commit;
    this.#target = target;
    this.#folder = target.snapshot(commit);
    this.#others = folders.filter((folder) => folder !== this.#folder);
    this.#options = options;
  }

  /** @throws LlavaError "setup" where the cache cannot be written, or its disk lacks room for that many bytes */
  async prepare(room = 0): Promise<void> {
    makeCacheFolder(this.#target.folder, room, variable);
    if (this.#isPrepared) return;
    this.#isPrepared = true;
    await this.#writing(async () => {
      await this.#target.prepare(this.#commit);
      const { revision } = this.#id;
      if (this.#target.commitOf(revision) === revision) this.#target.setCommit(revision, this.#commit);
    });
  }

  /** Returns the file's path. */
  async place(listed: HubFile, onBytes?: (received: number) => void): Promise<string> {
    const path = join(this.#folder, listed.name);
    if (isThere(this.#folder, listed)) return path;
    await this.prepare();
    const { env = process.env, report, signal } = this.#options;
    const asked = listed.etag
      ? listed
      : await askForFile(this.#id, this.#commit, listed.name, env, this.#options);
    const file: Named = { ...asked, etag: asked.etag! };
    const { etag } = file;
    await this.#writing(async () => {
      let isNew = false;
      if (!this.#hasBlob(file) && !(await this.#adopt(file))) {
        const waiting = (holder: string): void =>
          report?.(`Another process is downloading ${file.name}; waiting: ${holder}.`);
        const fetchBlob = async (): Promise<void> => {
          if (this.#hasBlob(file)) return;
          isNew = true;
          await this.#fetch(file, onBytes);
        };
        const lock = this.#target.lock(etag);
        await withLock(
          `${this.#target.partial(etag)}.lock`,
          () =>
            isLarge(file)
              ? withBlobLock(lock, fetchBlob, { onWait: () => waiting(`${lock} is held`), signal })
              : fetchBlob(),
          { onWait: waiting, ...(signal && { signal }) },
        );
      }
      await this.#target.point({ commit: this.#commit, name: file.name, etag, isNew }, env);
    });
    return path;
  }

  #hasBlob({ etag, bytes }: Named): boolean {
    const size = sizeOf(this.#target.blob(etag));
    return size !== undefined && (bytes === 0 || size === bytes);
  }

  /** Takes what is elsewhere on this machine: under the same name, or a large file under its hash. */
  async #adopt(file: Named): Promise<boolean> {
    const { env = process.env } = this.#options;
    const large = isLarge(file) ? findHubFile(file.etag, env) : undefined;
    const named = this.#others
      .filter((folder) => isThere(folder, file))
      .map((folder) => join(folder, file.name));
    for (const path of [...named, ...(large ? [large] : [])])
      if (await isFileOf(path, file)) {
        await adopt(path, this.#target.blob(file.etag), env);
        return true;
      }
    return false;
  }

  async #fetch(file: Named, onBytes: ((received: number) => void) | undefined): Promise<void> {
    const { env = process.env, report, retries, pause, signal } = this.#options;
    const partial = this.#target.partial(file.etag);
    await adoptPartial(
      this.#others.map((folder) => join(folder, `${file.name}.partial`)),
      partial,
    );
    await downloadFile(fileAddress(this.#id, this.#commit, file.name, env), this.#target.blob(file.etag), {
      ...hubAccess(env),
      bytes: file.bytes,
      hash: file.etag,
      partial,
      variable,
      refusal: (response) => hubRefusal(response, this.#id, env, file.name),
      ...(retries !== undefined && { retries }),
      ...(pause !== undefined && { pause }),
      ...(onBytes && { onBytes }),
      report,
      signal,
    });
  }

  async #writing<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw isRefusal(error) ? unwritable(this.#target.folder, error, variable) : error;
    }
  }
}
