import { existsSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { unwritable } from "../../files/index.ts";
import { type Environment, makeCacheFolder } from "../cache.ts";
import type { HubId } from "./id.ts";
import { chosenFolder } from "./repository.ts";
import { HubStorage, ownRoot } from "./storage.ts";

/**
 * The folder that is loaded of a snapshot: itself, or one of its folders; for a GGUF file that was named among others, a
 * folder of this project with links to what belongs to it.
 * @param files of the model, inside the snapshot
 * @throws LlavaError "setup" when the links cannot be made
 */
export function loadedFolder(
  { repository, part }: HubId,
  commit: string,
  snapshot: string,
  files: readonly string[],
  env: Environment,
): string {
  if (part === undefined) return snapshot;
  const inside = chosenFolder(files, part);
  if (inside !== "") return join(snapshot, inside.slice(0, -1));
  const view = new HubStorage(ownRoot(env), repository).view(commit, part);
  const links = files.map((name): [string, string] => [join(snapshot, name), join(view, basename(name))]);
  const missing = links.filter(([, link]) => !existsSync(link));
  if (missing.length > 0) makeCacheFolder(view);
  for (const [target, link] of missing)
    try {
      symlinkSync(target, link);
    } catch (cause) {
      if (!existsSync(link)) throw unwritable(link, cause); // another process may have been faster
    }
  return view;
}
