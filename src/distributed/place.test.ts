import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LlavaError } from "../errors.ts";
import { nodeOf, placeOf } from "./place.ts";
import { expandHosts } from "./slurm-hosts.ts";

const master = { MASTER_ADDR: "node-0", MASTER_PORT: "29400" };
const served = { TORCHELASTIC_USE_AGENT_STORE: "True", TORCHELASTIC_RESTART_COUNT: "2" };
const slurm = {
  ...{ SLURM_NTASKS: "16", SLURM_LOCALID: "3", SLURM_JOB_ID: "81234" },
  ...{ SLURM_STEP_NODELIST: "gpu[08-09]", SLURM_LAUNCH_NODE_IPADDR: "10.0.0.1" },
};

/** Rank 11 of 16, the fourth on its machine, as each launcher says it. */
const told: Readonly<Record<string, [env: Record<string, string>, expected: object]>> = {
  torchrun: [
    { RANK: "11", WORLD_SIZE: "16", LOCAL_RANK: "3", ...master, ...served },
    { host: "node-0", port: 29400, attempt: 2, isStoreServed: true },
  ],
  "llava launch": [
    { RANK: "11", WORLD_SIZE: "16", LOCAL_RANK: "3", ...master },
    { host: "node-0", port: 29400, attempt: 0, isStoreServed: false },
  ],
  "torchrun inside a Slurm job": [
    { RANK: "11", WORLD_SIZE: "16", LOCAL_RANK: "3", ...master, ...slurm, SLURM_PROCID: "1" },
    { host: "node-0", port: 29400 },
  ],
  srun: [
    { ...slurm, SLURM_PROCID: "11" },
    { host: "gpu08", port: 29734 },
  ],
  "srun with a port": [
    { ...slurm, SLURM_PROCID: "11", MASTER_PORT: "5000" },
    { host: "gpu08", port: 5000 },
  ],
  mpirun: [
    { OMPI_COMM_WORLD_RANK: "11", OMPI_COMM_WORLD_SIZE: "16", OMPI_COMM_WORLD_LOCAL_RANK: "3", ...master },
    { host: "node-0", port: 29400 },
  ],
  mpiexec: [
    { PMI_RANK: "11", PMI_SIZE: "16", MPI_LOCALRANKID: "3", ...master },
    { host: "node-0", port: 29400 },
  ],
};

describe("the place of a process among those that train together", () => {
  for (const [launcher, [env, expected]] of Object.entries(told))
    test(launcher, () => {
      const place = placeOf(env)!;
      assert.deepEqual([place.rank, place.ranks, place.localRank], [11, 16, 3]);
      for (const [name, value] of Object.entries(expected))
        assert.equal(place[name as keyof typeof place], value, name);
    });

  test("a PyTorchJob counts pods, of one process each", () => {
    const place = placeOf({ RANK: "1", WORLD_SIZE: "2", ...master })!;
    assert.deepEqual([place.rank, place.ranks, place.localRank], [1, 2, 0]);
  });

  test("alone: no launcher, an interactive Slurm job, one process", () => {
    for (const env of [
      {},
      { SLURM_PROCID: "0", SLURM_NTASKS: "1", SLURM_JOB_ID: "7" },
      { RANK: "0", WORLD_SIZE: "1", LOCAL_RANK: "0", ...master },
    ])
      assert.equal(placeOf(env), undefined);
  });

  test("what is missing or no number is named", () => {
    const refused = (env: Record<string, string>, message: RegExp) =>
      assert.throws(
        () => placeOf(env),
        (error: LlavaError) =>
          error instanceof LlavaError && error.code === "setup" && message.test(error.message),
      );
    refused({ RANK: "0", WORLD_SIZE: "2", LOCAL_RANK: "0" }, /MASTER_ADDR is not set/);
    refused({ SLURM_PROCID: "0", SLURM_NTASKS: "2", SLURM_STEP_NODELIST: "a" }, /SLURM_LOCALID is not set/);
    refused({ RANK: "x", WORLD_SIZE: "2", LOCAL_RANK: "0", ...master }, /RANK is "x"/);
    refused({ RANK: "2", WORLD_SIZE: "2", LOCAL_RANK: "0", ...master }, /rank 2 of 2/);
  });
});

test("a launcher on each machine takes Kubeflow's words: those of a Trainer and of a PyTorchJob", () => {
  const trainer = {
    ...{ PET_NNODES: "2", PET_NODE_RANK: "1", PET_NPROC_PER_NODE: "8" },
    ...{ PET_MASTER_ADDR: "node-0", PET_MASTER_PORT: "29400" },
  };
  const expected = { nodes: 2, node: 1, host: "node-0", port: 29400 };
  assert.deepEqual(nodeOf(trainer), { ...expected, processes: 8 });
  assert.deepEqual(nodeOf({ ...trainer, PET_NPROC_PER_NODE: "auto" }), { ...expected, processes: undefined });
  assert.deepEqual(nodeOf({ RANK: "1", WORLD_SIZE: "2", ...master }), { ...expected, processes: undefined });
  assert.equal(nodeOf({}), undefined);
});

test("Slurm's lists of machines", () => {
  assert.deepEqual(expandHosts("login"), ["login"]);
  assert.deepEqual(expandHosts("gpu[08-10,3],a-b"), ["gpu08", "gpu09", "gpu10", "gpu3", "a-b"]);
  assert.deepEqual(expandHosts("r[1-2]n[1-2]"), ["r1n1", "r1n2", "r2n1", "r2n2"]);
});
