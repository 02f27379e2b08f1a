#!/usr/bin/env node
// Runs the TypeScript sources directly, which needs Node 24: where the machine's own node is older, the one in
// node_modules takes over.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const needed = 24;
if (Number.parseInt(process.versions.node, 10) >= needed) {
  module.enableCompileCache();
  const { main } = await import("../src/cli/index.ts");
  process.stdout.on("error", ({ code, message }) => {
    if (code !== "EPIPE") console.error(`llava: standard output: ${message}`);
    process.exit(code === "EPIPE" ? 0 : 1);
  });
  process.exitCode = await main(process.argv.slice(2));
} else {
  const local = fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url));
  if (!existsSync(local)) {
    console.error(
      `llava: Node ${needed} or newer is needed, this is ${process.versions.node}; run "npm install" in the project first.`,
    );
    process.exit(1);
  }
  const child = spawn(local, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  // A terminal sends Ctrl-C to the child as well: twice would mean "at once".
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
