import type { Outcome } from "../benchmark.ts";

/** Questions that are resampled together, as lists of indices: those of group g are members[start[g]] … members[start[g + 1] - 1]. */
export interface Groups {
  readonly count: number;
  readonly start: Uint32Array;
  readonly members: Uint32Array;
}

/** Outcomes by their `group`; an outcome without one stands alone. */
export function groupsOf(outcomes: readonly Outcome[]): Groups {
  const numbers = new Map<string, number>();
  const owner = new Uint32Array(outcomes.length);
  let count = 0;
  for (const [index, { group }] of outcomes.entries()) {
    const known = group === undefined ? undefined : numbers.get(group);
    owner[index] = known ?? count;
    if (known !== undefined) continue;
    if (group !== undefined) numbers.set(group, count);
    count++;
  }
  const start = new Uint32Array(count + 1);
  for (const group of owner) start[group + 1]!++;
  for (let group = 0; group < count; group++) start[group + 1]! += start[group]!;
  const next = start.slice();
  const members = new Uint32Array(outcomes.length);
  for (let index = 0; index < owner.length; index++) members[next[owner[index]!]!++] = index;
  return { count, start, members };
}

/** Calls `take` with the index of each member of `drawn` groups, drawn with replacement. */
export function drawGroups(
  { count, start, members }: Groups,
  drawn: number,
  random: () => number,
  take: (index: number) => void,
): void {
  for (let draw = 0; draw < drawn; draw++) {
    const group = Math.floor(random() * count);
    for (let at = start[group]!; at < start[group + 1]!; at++) take(members[at]!);
  }
}
