import { type Decision, latestByReviewer } from "./decisions.ts";

export interface Agreement {
  readonly reviewers: readonly [string, string];
  /** Questions that both decided about. */
  readonly common: number;
  /** Share of them on which both decided alike. */
  readonly agreed: number;
  /** Cohen's κ: agreement beyond chance, 1 for all; null where chance alone would give all. */
  readonly kappa: number | null;
  readonly disagreements: readonly string[];
}

/** How far each two reviewers agree on keep, edit or drop. */
export function agreements(decisions: readonly Decision[]): Agreement[] {
  const own = decisions.filter(({ settles }) => !settles);
  const byItem = Map.groupBy(own, ({ id }) => id);
  const reviewers = [...new Set(own.map(({ reviewer }) => reviewer))].sort();
  return reviewers.flatMap((one, place) =>
    reviewers.slice(place + 1).map((other) => pairOf([one, other], byItem)),
  );
}

function pairOf(
  [one, other]: readonly [string, string],
  byItem: ReadonlyMap<string, readonly Decision[]>,
): Agreement {
  const pairs = [...byItem].flatMap(([id, decisions]) => {
    const latest = latestByReviewer(decisions);
    const [a, b] = [latest.get(one)?.decision, latest.get(other)?.decision];
    return a === undefined || b === undefined ? [] : [{ id, a, b }];
  });
  const common = pairs.length;
  const agreed = pairs.filter(({ a, b }) => a === b).length / common;
  const shareOf = (label: string, side: "a" | "b"): number =>
    pairs.filter((pair) => pair[side] === label).length / common;
  const byChance = ["keep", "edit", "drop"].reduce(
    (sum, label) => sum + shareOf(label, "a") * shareOf(label, "b"),
    0,
  );
  return {
    reviewers: [one, other],
    common,
    agreed: common === 0 ? 0 : agreed,
    kappa: common === 0 || byChance === 1 ? null : (agreed - byChance) / (1 - byChance),
    disagreements: pairs.filter(({ a, b }) => a !== b).map(({ id }) => id),
  };
}
