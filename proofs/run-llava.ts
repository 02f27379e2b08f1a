/** The command, as proofs of whole ways run it: told, timed, and ended by. */
import { availableParallelism } from "node:os";
import { startLlava } from "../test/support/cli.ts";

const threads = process.env["OMP_NUM_THREADS"] ?? String(availableParallelism());

/** @throws where it ends with another status than 0 */
export async function runLlava(
  ...args: string[]
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  console.log(`> npx llava ${args.join(" ")}`);
  const begin = performance.now();
  const { child, ended } = startLlava(args, { env: { OMP_NUM_THREADS: threads } });
  child.stderr!.pipe(process.stderr);
  const { status, stdout, stderr } = await ended;
  if (status !== 0) throw new Error(`llava ${args.slice(0, 2).join(" ")} ended with status ${status}`);
  console.log(`  ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  return { stdout, stderr };
}
