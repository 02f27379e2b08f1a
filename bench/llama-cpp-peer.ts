// llama.cpp in a process of its own, for bench/real-sizes.ts: node bench/llama-cpp-peer.ts PACKAGE MODEL THREADS
// PACKAGE is the folder of @fugood/llama.node, installed somewhere outside of this package. It prints its name, then answers
// "decode N" with milliseconds a token and "prefill N" with milliseconds.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

interface Bench {
  readonly tPp: number;
  readonly tTg: number;
}
interface Context {
  bench(prompt: number, generated: number, rows: number, repeats: number): Promise<Bench>;
}
interface Package {
  loadModel(options: Readonly<Record<string, unknown>>): Promise<Context>;
}

const [folder = "", model = "", threads = "1"] = process.argv.slice(2);
const { default: llama } = (await import(pathToFileURL(join(folder, "lib/index.js")).href)) as {
  default: Package;
};
const context = await llama.loadModel({
  model,
  n_threads: Number(threads),
  n_ctx: 1024,
  n_batch: 512,
  n_ubatch: 512,
  n_parallel: 1,
  n_gpu_layers: 0,
});
console.log("llama.cpp (@fugood/llama.node)");
for await (const line of createInterface({ input: process.stdin })) {
  const [task, count] = line.split(" ");
  const prefills = task === "prefill";
  const { tPp, tTg } = await context.bench(prefills ? Number(count) : 4, prefills ? 1 : Number(count), 1, 1);
  console.log(prefills ? tPp : tTg / Number(count));
}
