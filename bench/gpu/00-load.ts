/**
 * What is here: libtorch with CUDA, both addons, devices, NCCL; then a group of this process alone, whose collectives over the GPU
 * must give what they give over the CPU.
 *
 *   node bench/gpu/00-load.ts
 */
import { locateCudaAddon } from "../../src/setup/index.ts";
import { Generator, ncclVersion, randn } from "../../src/torch/index.ts";
import { check, checks, device, isGpu } from "./checks.ts";
import { groupAlone } from "./group.ts";

await checks("load", async () => {
  const addon = locateCudaAddon();
  console.log(`# addon for CUDA: ${addon ?? "not built"}`);
  if (isGpu) {
    check("the addon for CUDA is here", addon !== undefined, addon ?? "run llava setup");
    check("NCCL", /^\d+\.\d+/.test(ncclVersion()), ncclVersion());
  }
  using group = await groupAlone();
  const values = randn([64, 3], new Generator(1));
  for (const dtype of ["float32", "bfloat16"] as const) {
    const own = values.to(dtype);
    const collectives = (of: typeof own): number[][] => {
      const summed = of.clone();
      group.communicator.sum([summed]);
      const results = [summed, group.communicator.gather(of)(), group.communicator.scatter(of)()];
      return results.map((tensor) => tensor.to("float32").flatten().toNumbers());
    };
    const [here, there] = [collectives(own.toDevice(device)), collectives(own)];
    check(`collectives of ${dtype}`, JSON.stringify(here) === JSON.stringify(there), "sum, gather, scatter");
  }
});
