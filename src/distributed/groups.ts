import { LlavaError } from "../errors.ts";
import { alone, type Communicator, exchange, type RankGroups } from "./communicator.ts";

/** Ranks of a group: so many, those of a "machine" each, or all of them where nothing is said. */
export type GroupSize = number | "machine" | undefined;

/**
 * Groups of ranks, the same on all of them.
 * @throws LlavaError "config" where they are not shared evenly
 */
export function divide(all: Communicator, given: GroupSize): RankGroups {
  const size = ranksOfGroup(given, all.size, () => ranksOfMachine(exchange(all, all.localRank ?? 0)));
  if (size === all.size) return { all, within: all, across: alone };
  if (size === 1) return { all, within: alone, across: all };
  return { all, ...all.split!(size) };
}

/** @throws LlavaError "config" for a number that does not divide that of the ranks */
export function ranksOfGroup(given: GroupSize, ranks: number, ofMachine: () => number): number {
  if (given === undefined) return ranks;
  const size = given === "machine" ? ofMachine() : given;
  if (ranks % size === 0) return size;
  const divisors = Array.from({ length: ranks }, (_, i) => i + 1).filter((each) => ranks % each === 0);
  throw new LlavaError(
    "config",
    `${ranks} ranks are not shared evenly by groups of ${size} (shardingGroup)`,
    {
      hint: `Give one of ${divisors.join(", ")}, or leave shardingGroup out: all ranks are one group then.`,
    },
  );
}

/**
 * How many ranks each machine has, of the numbers that all of them have on theirs.
 * @throws LlavaError "config" where machines have different numbers of ranks, or those of several in turns
 */
export function ranksOfMachine(places: readonly number[]): number {
  const other = places.indexOf(0, 1);
  const size = other < 0 ? places.length : other;
  if (places.length % size === 0 && places.every((place, rank) => place === rank % size)) return size;
  throw new LlavaError(
    "config",
    `shardingGroup is "machine", but on their machines the ranks have the numbers ${places.join(", ")}`,
    {
      hint: "Start equally many on each machine, those of one after those of another (srun: distribution by block), or give a number.",
    },
  );
}
