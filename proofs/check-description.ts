/**
 * Has schemathesis make requests of /openapi.json, valid and not, and hold the answers of `llava serve` against it: no failure of the
 * server, none late, errors in the one form that the description gives them, keys asked for where it says so.
 *   node proofs/check-description.ts [--python PYTHON] [--examples 20] [--seed 1]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pythonWith } from "../test/support/python-packages.ts";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import { startServing } from "../test/support/serving-process.ts";

const { values: flags } = parseArgs({
  options: {
    python: { type: "string" },
    examples: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
  },
});
const folder = mkdtempSync(join(tmpdir(), "llava-description-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const python = flags.python ?? pythonWith(["schemathesis==4.32.5"], folder);
const model = writeRandomCheckpoint(join(folder, "llava"), 3);
using server = await startServing([model, "--no-log", "--key", "key", "--limit-max-tokens", "8"]);
const args = [
  ...["run", `${server.url}/openapi.json`, "--header", "Authorization: Bearer key"],
  ...["--phases", "coverage,fuzzing", "--max-examples", flags.examples, "--seed", flags.seed],
  ...["--max-response-time", "5", "--request-timeout", "10", "--continue-on-failure", "--no-shrink"],
  // What several fields may not say together no schema says.
  ...["--exclude-checks", "positive_data_acceptance", "--suppress-health-check", "all"],
];
const run = "from schemathesis.cli import schemathesis; schemathesis()";
const [status] = await once(spawn(python, ["-c", run, ...args], { cwd: folder, stdio: "inherit" }), "exit");
process.exitCode = status ?? 1;
