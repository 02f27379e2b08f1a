/**
 * Collectives between GPUs of this machine, a process each: bus bandwidth beside what `llava plan` takes for granted, whether a gather
 * goes on beside computation, and that two ranks have one's losses. It starts the processes itself; for two GPUs and more.
 *
 *   node bench/gpu/08-nccl.ts [--processes 2]
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { joinGroup } from "../../src/distributed/index.ts";
import {
  cudaDevices,
  empty,
  Generator,
  randn,
  scope,
  synchronize,
  type Tensor,
} from "../../src/torch/index.ts";
import { check, checkSpeed, checks, device as first, isGpu, sized } from "./checks.ts";

const { values: flags } = parseArgs({
  options: { processes: { type: "string", default: "2" }, port: { type: "string", default: "29631" } },
});
const processes = Number(flags.processes);

if (process.env["LOCAL_RANK"] === undefined) {
  if (isGpu && cudaDevices() < processes)
    console.log(`# ${cudaDevices()} GPU: collectives between GPUs are left out`);
  else
    for (const status of await Promise.all(Array.from({ length: processes }, (_, rank) => started(rank))))
      if (status !== 0) process.exitCode = 1;
} else await checks(`collectives, rank ${process.env["RANK"]}`, inRank);

function started(rank: number): Promise<number | null> {
  const place = {
    RANK: `${rank}`,
    LOCAL_RANK: `${rank}`,
    WORLD_SIZE: `${processes}`,
    MASTER_ADDR: "127.0.0.1",
  };
  const child = fork(import.meta.filename, { env: { ...process.env, ...place, MASTER_PORT: flags.port } });
  return new Promise((resolve) => child.once("close", resolve));
}

async function inRank(): Promise<void> {
  const group = (await joinGroup({ report: console.log }))!;
  const { communicator, place } = group;
  const device = isGpu ? `cuda:${place.localRank}` : first;
  const isFirst = place.rank === 0;
  const seconds = (body: () => void, repeats = sized(10, 1)): number => {
    body();
    synchronize(device);
    const start = performance.now();
    for (let i = 0; i < repeats; i++) body();
    synchronize(device);
    return (performance.now() - start) / 1000 / repeats;
  };
  const bytes = sized(512 * 2 ** 20, 2 ** 16);
  const part = empty([bytes / 2 / processes], { device, dtype: "bfloat16" }).zero_();
  const gathering = seconds(() => scope(() => void communicator.gather(part)()));
  const bus = (bytes * (processes - 1)) / processes / gathering;
  if (isFirst)
    checkSpeed(
      "bus bandwidth of a gather",
      bus > 0.8 * 370e9,
      `${(bus / 1e9).toFixed(1)} GB/s, 370 are planned with`,
    );
  const side = sized(8192, 64);
  const draw = (seed: number): Tensor =>
    randn([side, side], new Generator(seed, device), { device }).to(sized("bfloat16", "float32"));
  const [a, b] = [draw(1), draw(2)];
  const compute = (): void => scope(() => void Array.from({ length: 8 }, () => a.matmul(b)));
  const computing = seconds(compute);
  const both = seconds(() =>
    scope(() => {
      const gathered = communicator.gather(part);
      compute();
      gathered();
    }),
  );
  const overlap = both / Math.max(computing, gathering);
  if (isFirst)
    checkSpeed(
      "a gather goes on beside computation",
      overlap <= 1.1,
      `both take ${overlap.toFixed(2)} times the longer`,
    );
  const summed = scope(() => {
    const own = empty([1000], { device })
      .zero_()
      .add(place.rank + 1);
    communicator.sum([own]);
    return own.toDevice("cpu").toNumbers();
  });
  const expected = (processes * (processes + 1)) / 2;
  check(
    "a sum is that of all ranks",
    summed.every((value) => value === expected),
    `${summed[0]}`,
  );
  await group.leave();
}
