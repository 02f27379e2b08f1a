// Runs the tests: all of them, or those in the files and folders that are named.
//   npm test
//   npm test -- --pure                 only those that need no libtorch
//   npm test -- src/torch test/parity/llava.test.ts --test-name-pattern=rope
import { spawn } from "node:child_process";
import { globSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createProgress } from "../src/cli/index.ts";
import { ensureNative } from "../src/setup/index.ts";
import { pureFolders } from "./architecture.ts";

const given = process.argv.slice(2);
const pure = given.includes("--pure");
const flags = given.filter((argument) => argument.startsWith("-") && argument !== "--pure");
const named = given.filter((argument) => !argument.startsWith("-"));
const all = pure
  ? ["scripts", "test/cli/no-libtorch.test.ts", ...pureFolders.map((name) => `src/${name}`)]
  : ["scripts", "src", "test"];
const places = named.length > 0 ? named : all;

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
const patterns = places.map((place) =>
  isFolder(place) ? `${place.replace(/\/$/, "")}/**/*.test.ts` : place,
);
const files = globSync(patterns).sort();
if (files.length === 0) {
  console.error(`no test files match ${patterns.join(" ")}`);
  process.exit(1);
}

if (!pure) await ensureNative({ progress: createProgress, report: console.error });
// One process a core with one thread each: libtorch's own threads would compete.
const concurrency = `--test-concurrency=${availableParallelism()}`;
const child = spawn(process.execPath, ["--test", concurrency, ...flags, ...files], {
  stdio: "inherit",
  env: { OMP_NUM_THREADS: "1", ...process.env },
});
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
