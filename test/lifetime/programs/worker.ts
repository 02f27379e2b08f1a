// One thread with tensors of its own: computes, fails, trains a little, or goes on until it is terminated.
import { parentPort, workerData } from "node:worker_threads";
import {
  Generator,
  inference,
  liveTensors,
  ones,
  randn,
  scope,
  type Tensor,
  tensor,
} from "../../../src/torch/index.ts";

const { task, seed } = workerData as { task: "compute" | "fail" | "forever" | "exit"; seed: number };
const generator = new Generator(seed);
const kept: Tensor[] = [];

function work(): number {
  const weight = tensor([seed, 2]).requiresGrad_();
  const gradient = scope(() => {
    weight.mul(weight).sum().backward();
    return weight.grad!;
  });
  kept.push(randn([64, 64], generator));
  ones([1000]).add(seed); // left to the garbage collector
  return gradient.select(0, 0).item();
}

if (task === "fail") {
  scope(() => {
    kept.push(ones([2]));
    inference(() => ones([2]).reshape([3]));
  });
} else if (task === "exit") {
  work();
  scope(() => {
    ones([2]);
    process.exit(0);
  });
} else if (task === "forever") {
  parentPort!.postMessage("started");
  for (;;) scope(() => inference(() => randn([32, 32], generator).matmul(ones([32, 32]))));
} else {
  let first = 0;
  for (let i = 0; i < 50; i++) first = work();
  parentPort!.postMessage({ first, live: liveTensors(), sample: kept[0]!.sum().item() });
}
