import type { FinishReason, GenerationResult, Usage } from "../../protocol/index.ts";

export const states = ["todo", "claimed", "batched", "done", "failed"] as const;

/** An item of the plan, as it stands. */
export interface LedgerEntry {
  readonly sequence: number;
  readonly key: string;
  readonly id: string;
  readonly state: (typeof states)[number];
  /** Where it is done. */
  readonly reply?: GenerationResult & { readonly cost: number; readonly sameText: number };
  /** Where it failed. */
  readonly error?: string | undefined;
  readonly attempts: number;
  /** What was planned with it, where that is kept. */
  readonly task?: string | undefined;
}

/** A row of `entries`. */
export function entryOf(row: Record<string, unknown>): LedgerEntry {
  const entry = {
    sequence: Number(row["sequence"]),
    key: String(row["key"]),
    id: String(row["id"]),
    state: String(row["state"]) as LedgerEntry["state"],
    attempts: Number(row["attempts"]),
    ...(typeof row["task"] === "string" && { task: row["task"] }),
  };
  if (entry.state === "failed") return { ...entry, error: String(row["error"]) };
  if (entry.state !== "done") return entry;
  return {
    ...entry,
    reply: {
      text: String(row["text"]),
      reason: String(row["reason"]) as FinishReason,
      usage: JSON.parse(String(row["usage"])) as Usage,
      ...(row["served"] !== null && { model: String(row["served"]) }),
      cost: Number(row["cost"]),
      sameText: Number(row["same"]),
    },
  };
}
