import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { requireBuildTools } from "./build-tools.ts";
import { runCommand } from "./command.ts";
import { buildFailure } from "./failure-causes.ts";
import type { SetupOptions } from "./options.ts";

export interface CmakeBuild {
  /** The folder with CMakeLists.txt. */
  readonly source: string;
  /** The folder that is built in. */
  readonly objects: string;
  /** Takes all that CMake and the compiler print. */
  readonly log: string;
  /** Such as "-DNAME=value". */
  readonly settings?: readonly string[];
}

/** Configures and builds. @throws LlavaError "setup" when a build tool is missing or the compiler fails */
export async function buildWithCmake(
  { source, objects, log, settings = [] }: CmakeBuild,
  { env = process.env, signal }: SetupOptions,
): Promise<void> {
  const { cmake, ninja } = requireBuildTools(env);
  rmSync(log, { force: true });
  const run = (...args: string[]) => runCommand(cmake, args, { env, log, ...(signal && { signal }) });
  const generator = ninja ? "Ninja" : "Unix Makefiles";
  let result = await run("-S", source, "-B", objects, "-G", generator, ...settings);
  if (result.status === 0)
    result = await run("--build", objects, "--parallel", String(availableParallelism()));
  if (result.status !== 0) throw buildFailure(result.tail, log);
}
