import { homedir } from "node:os";
import { join } from "node:path";

/** The environment variables that set-up looks at, and any others for the programs that it starts. */
export interface Environment {
  readonly [name: string]: string | undefined;
  readonly PATH?: string | undefined;
  readonly CXX?: string | undefined;
  readonly LIBTORCH?: string | undefined;
  readonly LLAVA_HOME?: string | undefined;
  readonly XDG_CACHE_HOME?: string | undefined;
  readonly HF_ENDPOINT?: string | undefined;
  readonly HF_HOME?: string | undefined;
  readonly HF_HUB_CACHE?: string | undefined;
  readonly HF_TOKEN?: string | undefined;
}

/** The folder for everything that is downloaded: `$LLAVA_HOME`, else `$XDG_CACHE_HOME/llava`, else `~/.cache/llava`. */
export function cacheFolder(env: Environment = process.env): string {
  const { LLAVA_HOME, XDG_CACHE_HOME } = env;
  return LLAVA_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "llava");
}
