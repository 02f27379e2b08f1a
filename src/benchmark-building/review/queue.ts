import { type Decision, latestByReviewer, verdictOf } from "./decisions.ts";
import type { ReviewTask } from "./tasks.ts";

/** Why a question is dropped, in the order of their keys. */
export const reasons = [
  "private or harmful",
  "not about the image",
  "cannot be answered",
  "unclear",
  "like another",
  "other",
] as const;

export interface QueuedTask extends ReviewTask {
  /** The reviewer's last decision about these words. */
  readonly own?: Decision;
  /** What others decided, where the reviewer settles it. */
  readonly others: readonly string[];
}

/** What a reviewer has before them: everything, or to settle only what others disagree about, which everybody else does not see. */
export function queueOf(
  tasks: readonly ReviewTask[],
  decisions: readonly Decision[],
  { reviewer, settles }: { readonly reviewer: string; readonly settles: boolean },
): QueuedTask[] {
  const byItem = Map.groupBy(decisions, ({ id }) => id);
  return tasks.flatMap((task) => {
    const all = byItem.get(task.id) ?? [];
    const own = all.findLast(
      (one) =>
        one.reviewer === reviewer &&
        (one.settles ?? false) === settles &&
        one.before.question === task.question &&
        one.before.reference === task.reference,
    );
    const kept = { ...task, ...(own && { own }) };
    if (!settles) return [{ ...kept, others: [] }];
    const opinions = all.filter((one) => !one.settles);
    if (verdictOf(opinions, task).state !== "disputed") return [];
    return [{ ...kept, others: [...latestByReviewer(opinions).values()].map(opinionOf) }];
  });
}

const opinionOf = ({ reviewer, decision, reason, after }: Decision): string =>
  [`${reviewer}: ${decision}`, reason, after && `${after.question} — ${after.reference}`]
    .filter(Boolean)
    .join("; ");
