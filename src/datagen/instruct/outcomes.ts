import { mulberry32 } from "../../random/index.ts";
import type { Ledger, LedgerEntry } from "../../runner/index.ts";
import type { Reader } from "../language/english-reader.ts";
import type { ConversationRow } from "../rows.ts";
import { type Classified, classifyReply } from "./classify.ts";
import { mediumField, mediumMark, type SceneItem } from "./item.ts";
import type { InstructionKind, Turn } from "./kind.ts";
import type { InstructionPlan } from "./plan.ts";

/** What came of one item and kind. */
export interface Outcome extends Classified {
  readonly id: string;
  readonly item: SceneItem;
  readonly kind: InstructionKind;
  readonly entry: LedgerEntry;
}

/** What came of everything planned, in the plan's order, from the ledger alone: nothing is asked. */
export function* outcomes(plan: InstructionPlan, ledger: Ledger, read: Reader): Generator<Outcome> {
  const served = ledger.mostServed();
  for (const entry of ledger.entries()) {
    const { item, kind, id } = plan.at(entry.sequence);
    const { reply, state } = entry;
    const random = mulberry32(plan.seedOf(entry.sequence));
    const classified: Classified = reply
      ? classifyReply(reply, { kind, item, read, random, sameText: reply.sameText, served })
      : { class: state === "failed" ? "failed" : "unasked", turns: [] };
    yield { ...classified, id, item, kind, entry };
  }
}

/** A training row of turns; the image or video comes before or after the first question, as chance has it. */
export function instructionRow(
  id: string,
  item: Pick<SceneItem, "image" | "isVideo">,
  turns: readonly Turn[],
  random: () => number,
): ConversationRow {
  const isBefore = random() < 0.5;
  const mark = mediumMark(item);
  return {
    id,
    ...mediumField(item),
    conversations: turns.flatMap(({ question, answer }, turn) => [
      {
        from: "human" as const,
        value: turn > 0 ? question : isBefore ? `${mark}\n${question}` : `${question}\n${mark}`,
      },
      { from: "gpt" as const, value: answer },
    ]),
  };
}

/** Where a row comes from, a line of the file beside the rows. */
export const provenance = ({ id, class: name, entry, grounding }: Outcome) => ({
  id,
  class: name,
  key: entry.key,
  attempts: entry.attempts,
  ...(entry.reply?.model !== undefined && { teacher: entry.reply.model }),
  ...(entry.reply && { reason: entry.reply.reason, usage: entry.reply.usage, cost: entry.reply.cost }),
  ...(entry.error !== undefined && { error: entry.error }),
  ...(grounding && { mentioned: grounding.mentioned.length, unsupported: grounding.unsupported }),
});
