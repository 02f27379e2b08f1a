import { LlavaError } from "../errors.ts";
import { expandHosts } from "./slurm-hosts.ts";

/** Where a process stands among those that train together. */
export interface Place {
  readonly rank: number;
  readonly ranks: number;
  /** Among those on the same machine. */
  readonly localRank: number;
  /** Where rank 0 is to be found. */
  readonly host: string;
  readonly port: number;
  /** How often all were started before. */
  readonly attempt: number;
  /** Whether the launcher serves the store, instead of rank 0. */
  readonly isStoreServed: boolean;
  readonly launcher: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** As torchrun has it. */
const DEFAULT_PORT = 29500;

/** How launchers tell a process its place, in the order in which they are asked. */
const launchers: readonly { readonly isHere: (env: Environment) => boolean; readonly read: Reader }[] = [
  { isHere: (env) => has(env, "RANK", "WORLD_SIZE", "LOCAL_RANK"), read: ofTorchrun },
  { isHere: (env) => has(env, "RANK", "WORLD_SIZE"), read: ofPod },
  { isHere: (env) => has(env, "SLURM_PROCID") && numberOf(env, "SLURM_NTASKS") > 1, read: ofSlurm },
  {
    isHere: (env) => has(env, "OMPI_COMM_WORLD_RANK") && numberOf(env, "OMPI_COMM_WORLD_SIZE") > 1,
    read: ofOpenMpi,
  },
  { isHere: (env) => has(env, "PMI_RANK") && numberOf(env, "PMI_SIZE") > 1, read: ofPmi },
];

type Reader = (env: Environment) => Place;

/**
 * The place that the launcher gave this process: torchrun, llava launch, a PyTorchJob of one process a pod, Slurm, Open MPI or
 * MPICH. undefined for a process that stands alone.
 * @throws LlavaError "setup" for a launcher that has not told all
 */
export function placeOf(env: Environment): Place | undefined {
  const place = launchers.find(({ isHere }) => isHere(env))?.read(env);
  if (place === undefined || place.ranks === 1) return undefined;
  if (place.rank < place.ranks) return place;
  throw new LlavaError("setup", `${place.launcher} calls this rank ${place.rank} of ${place.ranks}`, {
    hint: "Ranks are counted from 0.",
  });
}

function ofTorchrun(env: Environment): Place {
  return {
    rank: numberOf(env, "RANK"),
    ranks: numberOf(env, "WORLD_SIZE"),
    localRank: numberOf(env, "LOCAL_RANK"),
    ...masterOf(env, "torchrun or llava launch"),
    attempt: Number(env["TORCHELASTIC_RESTART_COUNT"] ?? 0),
    isStoreServed: env["TORCHELASTIC_USE_AGENT_STORE"] === "True",
    launcher: "torchrun or llava launch",
  };
}

/** Kubeflow's PyTorchJob and its kin count pods, and say nothing of processes in them. */
function ofPod(env: Environment): Place {
  const launcher = "a PyTorchJob";
  return {
    ...{ rank: numberOf(env, "RANK"), ranks: numberOf(env, "WORLD_SIZE"), localRank: 0 },
    ...masterOf(env, launcher),
    ...{ attempt: 0, isStoreServed: false, launcher },
  };
}

/** SLURM_LAUNCH_NODE_IPADDR would be where srun was called, which may be the login node. */
function ofSlurm(env: Environment): Place {
  const nodes = textOf(env, "SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST");
  const job = Number(env["SLURM_JOB_ID"] ?? 0);
  return {
    rank: numberOf(env, "SLURM_PROCID"),
    ranks: numberOf(env, "SLURM_NTASKS"),
    localRank: numberOf(env, "SLURM_LOCALID"),
    host: env["MASTER_ADDR"] ?? expandHosts(nodes)[0]!,
    port: Number(env["MASTER_PORT"] ?? DEFAULT_PORT + (job % 1000)),
    attempt: Number(env["SLURM_RESTART_COUNT"] ?? 0),
    ...{ isStoreServed: false, launcher: "Slurm" },
  };
}

function ofOpenMpi(env: Environment): Place {
  return {
    rank: numberOf(env, "OMPI_COMM_WORLD_RANK"),
    ranks: numberOf(env, "OMPI_COMM_WORLD_SIZE"),
    localRank: numberOf(env, "OMPI_COMM_WORLD_LOCAL_RANK"),
    ...masterOf(env, "Open MPI"),
    ...{ attempt: 0, isStoreServed: false, launcher: "Open MPI" },
  };
}

function ofPmi(env: Environment): Place {
  return {
    rank: numberOf(env, "PMI_RANK"),
    ranks: numberOf(env, "PMI_SIZE"),
    localRank: numberOf(env, "MPI_LOCALRANKID", "PMI_LOCAL_RANK"),
    ...masterOf(env, "MPICH"),
    ...{ attempt: 0, isStoreServed: false, launcher: "MPICH" },
  };
}

/** Which part of a job a machine is, as a launcher on each of them is told. */
export interface Node {
  readonly nodes: number;
  readonly node: number;
  readonly host: string;
  readonly port: number;
  readonly processes: number | undefined;
}

/** What Kubeflow's Trainer tells a pod, or its older PyTorchJob; undefined where neither does. */
export function nodeOf(env: Environment): Node | undefined {
  if (has(env, "PET_NNODES", "PET_NODE_RANK")) {
    const nodes = Number(textOf(env, "PET_NNODES").split(":").at(-1));
    const processes = Number(env["PET_NPROC_PER_NODE"]);
    return {
      ...{ nodes, node: numberOf(env, "PET_NODE_RANK") },
      host: textOf(env, "PET_MASTER_ADDR"),
      port: Number(env["PET_MASTER_PORT"] ?? DEFAULT_PORT),
      processes: Number.isInteger(processes) ? processes : undefined, // it may be "auto" or "gpu"
    };
  }
  if (!has(env, "RANK", "WORLD_SIZE") || has(env, "LOCAL_RANK")) return undefined;
  return {
    nodes: numberOf(env, "WORLD_SIZE"),
    node: numberOf(env, "RANK"),
    ...masterOf(env, "a PyTorchJob"),
    processes: undefined,
  };
}

const has = (env: Environment, ...names: readonly string[]): boolean =>
  names.every((name) => env[name] !== undefined && env[name] !== "");

function masterOf(env: Environment, launcher: string): { host: string; port: number } {
  const missing = ["MASTER_ADDR", "MASTER_PORT"].find((name) => !has(env, name));
  if (missing !== undefined)
    throw new LlavaError("setup", `${launcher} started several processes, but ${missing} is not set`, {
      hint: "Set MASTER_ADDR to the machine of rank 0 and MASTER_PORT to a free port on it, the same for all.",
    });
  return { host: env["MASTER_ADDR"]!, port: numberOf(env, "MASTER_PORT") };
}

/** The first of them that is set. */
function textOf(env: Environment, ...names: readonly string[]): string {
  const name = names.find((each) => has(env, each));
  if (name !== undefined) return env[name]!;
  throw new LlavaError("setup", `${names[0]} is not set, though other variables of its launcher are`, {
    hint: "Start all processes by srun, mpirun, torchrun or llava launch.",
  });
}

function numberOf(env: Environment, ...names: readonly string[]): number {
  const text = textOf(env, ...names);
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0) return number;
  throw new LlavaError("setup", `${names[0]} is "${text}", not a number`);
}
