import { LlavaError } from "../../errors.ts";

/** What a kind of GPU computes and moves, each a second. */
interface Gpu {
  readonly title: string;
  /** Operations on bfloat16 matrices without sparsity, by its data sheet. */
  readonly peak: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes of its own memory. */
  readonly bandwidth: number;
  /** Bytes that a collective moves between the GPUs of a machine, as NCCL's tests report ("bus bandwidth"). */
  readonly link: number;
}

/** Peaks and memory by data sheets; links as NCCL reaches them over NVLink, or over PCIe where there is none. */
const gpuKinds: Readonly<Record<string, Gpu>> = {
  "a100-40": { title: "A100 40 GB", peak: 312e12, memory: 40e9, bandwidth: 1.55e12, link: 230e9 },
  "a100-80": { title: "A100 80 GB", peak: 312e12, memory: 80e9, bandwidth: 2e12, link: 230e9 },
  "h800-80": { title: "H800 80 GB", peak: 989e12, memory: 80e9, bandwidth: 3.35e12, link: 160e9 },
  "h100-80": { title: "H100 80 GB", peak: 989e12, memory: 80e9, bandwidth: 3.35e12, link: 370e9 },
  "h200-141": { title: "H200 141 GB", peak: 989e12, memory: 141e9, bandwidth: 4.8e12, link: 370e9 },
  "rtx4090-24": { title: "RTX 4090 24 GB", peak: 165e12, memory: 24e9, bandwidth: 1e12, link: 12e9 },
};

/** Machines with equally many GPUs each. */
export interface Cluster {
  readonly gpu: Gpu;
  /** Of all machines together. */
  readonly gpus: number;
  readonly nodes: number;
  /** Bytes a second that a machine sends to the others and receives at once. */
  readonly network: number;
}

/** What is left of a network's nominal rate for a collective's data. */
const NETWORK_SHARE = 0.9;
const USUAL_GPUS_PER_NODE = 8;

/**
 * Bytes a second that a machine reaches: "10Gb" and "8x400Gb" are nominal bits of its adapters, of which nine tenths are taken;
 * "100GB" is what was measured.
 * @throws LlavaError "usage"
 */
function parseNetwork(text: string): number {
  const [, adapters = "1", number, unit] =
    /^(?:(\d+)x)?(\d+(?:\.\d+)?)(Gb|GB)(?:it)?(?:\/s|ps)?$/.exec(text) ?? [];
  const value = Number(adapters) * Number(number) * 1e9;
  if (value > 0) return unit === "GB" ? value : (NETWORK_SHARE * value) / 8;
  throw new LlavaError("usage", `a network of "${text}"`, {
    hint: 'Give what joins a machine to the others: "10Gb", "8x400Gb" (nominal bits) or "100GB" (bytes a second, measured).',
  });
}

export interface ClusterFields {
  readonly gpus: number;
  /** As many as hold eight GPUs each when left out. */
  readonly nodes?: number | undefined;
  /** "h100-80" */
  readonly gpu?: string | undefined;
  /** As `parseNetwork` reads it; eight adapters of 400 Gbit/s. */
  readonly network?: string | undefined;
}

/** @throws LlavaError "usage" for a kind that is not known, and where GPUs are not shared evenly by the machines */
export function clusterOf({ gpus, gpu = "h100-80", network = "8x400Gb", ...fields }: ClusterFields): Cluster {
  const { nodes = Math.ceil(gpus / USUAL_GPUS_PER_NODE) } = fields;
  if (!Object.hasOwn(gpuKinds, gpu))
    throw new LlavaError("usage", `a GPU of the kind "${gpu}"`, {
      hint: `Known are ${Object.keys(gpuKinds).join(", ")}.`,
    });
  if (gpus % nodes !== 0)
    throw new LlavaError("usage", `${gpus} GPUs are not shared evenly by ${nodes} machines`, {
      hint: "--gpus counts those of all machines together, --nodes the machines.",
    });
  return { gpu: gpuKinds[gpu]!, gpus, nodes, network: parseNetwork(network) };
}

/** GPUs of each machine. */
export const perMachine = ({ gpus, nodes }: Cluster): number => gpus / nodes;

/** A collective's seconds on each of the ways that it takes at once. */
export interface Transfer {
  readonly link: number;
  readonly network: number;
  readonly seconds: number;
}

/** Of a step of a ring or a tree: launching, and the first byte. */
const LATENCY = 30e-6;

/**
 * Gathers, or adds up and scatters, `bytes` over all ranks: each takes in what it lacks, over the links of its machine, and each
 * machine what its ranks together lack.
 */
export function transfer(cluster: Cluster, bytes: number): Transfer {
  const { gpu, gpus, nodes, network } = cluster;
  if (gpus === 1 || bytes === 0) return { link: 0, network: 0, seconds: 0 };
  const local = perMachine(cluster);
  const over = {
    link: (bytes * (local - 1)) / local / gpu.link,
    network: (bytes * (nodes - 1)) / nodes / network,
  };
  return { ...over, seconds: Math.max(over.link, over.network) + LATENCY * Math.log2(gpus) };
}

/** The machines, or parts of one, that a group of so many GPUs is in: what its collectives go through. */
export function groupOf(cluster: Cluster, gpus: number): Cluster {
  return { ...cluster, gpus, nodes: Math.ceil(gpus / perMachine(cluster)) };
}

/** Adds up `bytes` over groups of so many GPUs, each GPU a part of them, so that all groups have the sum. */
export function exchangeBetween(cluster: Cluster, bytes: number, group: number): Transfer {
  const { gpu, gpus, nodes, network } = cluster;
  if (group === gpus || bytes === 0) return { link: 0, network: 0, seconds: 0 };
  const inMachine = Math.max(1, perMachine(cluster) / group);
  const machines = gpus / group / inMachine;
  // Twice, as an addition with a gather behind it.
  const over = {
    link: (((2 * bytes) / group) * (inMachine - 1)) / inMachine / gpu.link,
    network: (2 * bytes * (machines - 1)) / nodes / network,
  };
  return { ...over, seconds: Math.max(over.link, over.network) + LATENCY * Math.log2(gpus / group) };
}
