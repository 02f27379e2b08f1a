// Threads that each load the addon: some finish, some fail, some are terminated in the middle of their work.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { liveTensors, ones } from "../../../src/torch/index.ts";

const start = (task: string, seed: number): Worker =>
  new Worker(new URL("worker.ts", import.meta.url), { workerData: { task, seed } });

const mine = ones([3]);
const before = liveTensors();

const computing = [5, 6, 5].map(async (seed) => (await once(start("compute", seed), "message"))[0]);
const failing = once(start("fail", 1), "error").then(([error]) => error as Error);
const leaving = once(start("exit", 2), "exit").then(([code]) => code as number);
const terminated = [7, 8].map(async (seed) => {
  const worker = start("forever", seed);
  await once(worker, "message");
  await new Promise((resolve) => setTimeout(resolve, 20 * seed));
  return worker.terminate();
});

const [first, second, third] = await Promise.all(computing);
assert.deepEqual([first.first, second.first], [10, 12]); // d(x²)/dx at the seeds
assert.equal(first.sample, third.sample); // the same seed, another thread
assert.notEqual(first.sample, second.sample);
assert.match((await failing).message, /aten::reshape/);
assert.equal(await leaving, 0);
assert.deepEqual(await Promise.all(terminated), [1, 1]);
assert.equal(liveTensors(), before); // no thread touches another's table
assert.deepEqual(mine.toNumbers(), [1, 1, 1]);
if (process.argv[2] === "leave") {
  const worker = start("forever", 9);
  await once(worker, "message");
  process.exit(0); // with a thread inside native code
}
console.log("done");
