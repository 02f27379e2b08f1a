// Runs the code blocks of README.md that are marked to be run, so that what it promises holds:
//   ```sh run         a block that must succeed and print something
//   ```ts run         the same, in TypeScript
//   ```sh run model   the same, with the default model, whose projector must be there
//   ```sh run server  the same, while `llava serve` runs
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { builtinModels, defaultModel } from "../src/setup/index.ts";

interface Block {
  readonly language: string;
  readonly marks: readonly string[];
  readonly code: string;
}

const blocks = [...readFileSync("README.md", "utf8").matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)]
  .map(([, language = "", marks = "", code = ""]): Block => ({ language, marks: marks.split(" "), code }))
  .filter(({ marks }) => marks.includes("run"));
if (blocks.length === 0) throw new Error("README.md has no block that is marked to be run");

/** The server of the README's own lines, once it answers. */
async function startServer(): Promise<ChildProcess> {
  const server = spawn(process.execPath, ["bin/llava.js", "serve", "--no-log"], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  while (server.exitCode === null) {
    const health = await fetch("http://127.0.0.1:8000/health").catch(() => undefined);
    if (health?.ok) return server;
    await wait(200);
  }
  throw new Error(`llava serve ended with status ${server.exitCode}`);
}

const { projector } = builtinModels[defaultModel]!;
let failures = 0;
let server: ChildProcess | undefined;
for (const { language, marks, code } of blocks) {
  console.log(`\n${code.replace(/^/gm, "> ").slice(0, -2)}`);
  if (marks.includes("model") && !existsSync(projector)) {
    console.log(`skipped: ${projector} is not trained yet`);
    continue;
  }
  if (marks.includes("server")) server ??= await startServer();
  const [program, ...args] =
    language === "ts"
      ? [process.execPath, "--input-type=module-typescript", "-e", code]
      : ["bash", "-euo", "pipefail", "-c", code];
  const started = performance.now();
  const { status, stdout } = spawnSync(program!, args, {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  console.log(stdout.trimEnd());
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const problem = status !== 0 ? `failed with status ${status}` : !/\w/.test(stdout) && "printed nothing";
  console.log(problem ? `${problem} after ${seconds} s` : `ran in ${seconds} s`);
  if (problem) failures++;
}
server?.kill();
process.exitCode = failures === 0 ? 0 : 1;
