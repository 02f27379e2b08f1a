// Runs the tests: all of them, or those in the files and folders that are named.
//   npm test
//   npm test -- src/torch test/golden.test.ts --test-name-pattern=rope
import { spawn } from "node:child_process";
import { globSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createProgress } from "../src/cli/index.ts";
import { ensureNative } from "../src/setup/index.ts";

const given = process.argv.slice(2);
const flags = given.filter((argument) => argument.startsWith("-"));
const places = given.filter((argument) => !argument.startsWith("-"));

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
const patterns = (places.length > 0 ? places : ["src", "test"]).map((place) =>
  isFolder(place) ? `${place.replace(/\/$/, "")}/**/*.test.ts` : place,
);
const files = globSync(patterns).sort();
if (files.length === 0) {
  console.error(`no test files match ${patterns.join(" ")}`);
  process.exit(1);
}

await ensureNative({ progress: createProgress, report: console.error });
// One process a core with one thread each: libtorch's own threads would compete.
const concurrency = `--test-concurrency=${availableParallelism()}`;
const child = spawn(process.execPath, ["--test", concurrency, ...flags, ...files], {
  stdio: "inherit",
  env: { OMP_NUM_THREADS: "1", ...process.env },
});
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
