import { deserialize, serialize } from "node:v8";
import { LlavaError } from "../errors.ts";
import { fromTyped, keep, noGrad, scope, type Tensor } from "../torch/index.ts";

/** A result that is under way: waits until it is there. Called once; the tensor is the caller's. */
export type Pending = () => Tensor;

/**
 * Processes that work on one model together, as one of them sees them. All make the same calls in the same order, with tensors
 * of the same shapes and types.
 */
export interface Communicator {
  /** This process among them, from 0. */
  readonly rank: number;
  readonly size: number;
  /** This process among those on the same machine, 0 where it is left out. */
  readonly localRank?: number;
  /** Of all calls made so far: differs between ranks whose calls differ. */
  readonly digest?: number;
  /** Seconds that this rank has waited in its calls so far, GPUs' own waits left out; 0 where it is left out. */
  readonly waited?: number;
  /** Puts the sum over all ranks in each tensor's place: the same bits on every rank. */
  sum(tensors: readonly Tensor[]): void;
  /** Begins [n, …] of each rank → [size · n, …], in the order of the ranks; written `into` what has that shape and type. */
  gather(part: Tensor, into?: Tensor): Pending;
  /** Begins [size · n, …] of each rank → [n, …]: of the sum over all ranks the part with this rank's number. */
  scatter(whole: Tensor): Pending;
  /** Waits until every rank is here, for however long. */
  barrier(): void;
  /** In groups of `size` ranks that follow each other, which divides their number; see `divide`. */
  split?(size: number): Pick<RankGroups, "within" | "across">;
}

/** Ranks in groups that follow each other, of equally many each. */
export interface RankGroups {
  /** Of all groups. */
  readonly all: Communicator;
  /** Those of this one's group. */
  readonly within: Communicator;
  /** Those with this one's number in each group. */
  readonly across: Communicator;
}

function copied(tensor: Tensor, into?: Tensor): Pending {
  const copy = into ? noGrad(() => scope(() => into.copy_(tensor))) : keep(tensor.clone());
  return () => copy;
}

/** One process by itself. */
export const alone: Communicator = {
  rank: 0,
  size: 1,
  sum() {},
  gather: copied,
  scatter: (whole) => copied(whole),
  barrier() {},
};

/** Numbers, each summed over all ranks in float64. */
export function sumNumbers(communicator: Communicator, values: readonly number[]): readonly number[] {
  if (communicator.size === 1) return values;
  return scope(() => {
    const summed = fromTyped(Float64Array.from(values), { dtype: "float64" });
    communicator.sum([summed]);
    return summed.toNumbers();
  });
}

/** Bytes that are exchanged at once; what is longer takes a second call. */
const BLOCK = 4096;
/** Of the calls' digest and the length of what follows. */
const HEAD = 8;

/**
 * What each rank says, in the order of the ranks, as structured clones.
 * @throws LlavaError "torch" where the ranks' calls up to here were not the same
 */
export function exchange<T>(communicator: Communicator, own: T): T[] {
  if (communicator.size === 1) return [own];
  const said = serialize(own);
  const framed = Buffer.alloc(Math.max(BLOCK, HEAD + said.length));
  framed.writeUInt32LE(communicator.digest ?? 0);
  framed.writeUInt32LE(said.length, 4);
  said.copy(framed, HEAD);
  let all = gatherBytes(communicator, framed.subarray(0, BLOCK));
  // What comes of a rank that has made other calls may be anything.
  const other = all.findIndex((bytes) => bytes.readUInt32LE() !== all[0]!.readUInt32LE());
  if (other > 0)
    throw new LlavaError("torch", `rank ${other} has not made the same calls to the other ranks as rank 0`, {
      hint: "Start all ranks with the same recipe, data and version.",
    });
  const lengths = all.map((bytes) => HEAD + bytes.readUInt32LE(4));
  const longest = Math.max(...lengths);
  if (longest > BLOCK) {
    const padded = Buffer.alloc(longest);
    framed.copy(padded);
    all = gatherBytes(communicator, padded);
  }
  return all.map((bytes, rank) => deserialize(bytes.subarray(HEAD, lengths[rank])) as T);
}

/** As `exchange`, where some come far later than others: after work of one of them alone, or of disks. */
export function meet<T>(communicator: Communicator, own: T): T[] {
  communicator.barrier();
  return exchange(communicator, own);
}

/** Equally many bytes of each rank. */
function gatherBytes(communicator: Communicator, own: Buffer): Buffer[] {
  const all = scope(() => {
    const gathered = communicator.gather(fromTyped(own, { dtype: "uint8" }))();
    const bytes = Buffer.from(gathered.toBytes());
    gathered.dispose();
    return bytes;
  });
  return Array.from({ length: communicator.size }, (_, rank) =>
    all.subarray(rank * own.length, (rank + 1) * own.length),
  );
}
