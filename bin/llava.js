#!/usr/bin/env node
// Runs the sources of a checkout directly, and what is built of them where they are not. Either needs Node 24: where the
// machine's own node is older, another takes over.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { isNodeNewEnough, neededNode } from "./node-version.js";

if (isNodeNewEnough) {
  module.enableCompileCache();
  const sources = new URL("../src/cli/index.ts", import.meta.url);
  const { main } = await import(
    existsSync(sources) ? sources : new URL("../dist/cli/index.js", import.meta.url)
  );
  process.stdout.on("error", ({ code, message }) => {
    if (code !== "EPIPE") console.error(`llava: standard output: ${message}`);
    process.exit(code === "EPIPE" ? 0 : 1);
  });
  process.exitCode = await main(process.argv.slice(2));
} else {
  const { ownNode } = await import("./own-node.js");
  const own = ownNode();
  if (own === undefined) {
    console.error(
      `llava: Node ${neededNode} or newer is needed, this is ${process.versions.node}; install one, or connect to a package index so that llava can fetch its own.`,
    );
    process.exit(1);
  }
  const child = spawn(own, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  // A terminal sends Ctrl-C to the child as well: twice would mean "at once".
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
