import { join } from "node:path";
import { Ledger } from "../../runner/index.ts";
import { englishReader } from "../language/english-reader.ts";
import type { ConversationRow } from "../rows.ts";
import type { Outcome } from "./outcomes.ts";
import { askInstruct, collectInstructions, type InstructOptions, prepareInstruct } from "./run-instruct.ts";

export interface GenerateOptions extends Omit<InstructOptions, "ledger" | "places"> {
  /** Keeps the ledger: another call with the same folder goes on where this one stopped. */
  readonly folder: string;
  /** Whether questions about presence balance yes and no; true if left out. */
  readonly negatives?: boolean;
  /** Told of every item and kind, also those that give no row, with the class of its reply. */
  readonly onOutcome?: (outcome: Outcome) => void;
}

/**
 * Training rows that a teacher writes from captions and boxes, in the order of the items. A reply that cannot be used is no
 * error: `onOutcome` tells it. @throws LlavaError "budget", "aborted", "network" where asking ended early; replies are kept
 */
export async function* generateInstructions(options: GenerateOptions): AsyncGenerator<ConversationRow> {
  using ledger = new Ledger(join(options.folder, "ledger.sqlite"));
  const run = { ...options, ledger };
  const prepared = await prepareInstruct(run);
  await askInstruct(prepared, run);
  const { negatives = true, seed } = options;
  const made = collectInstructions(prepared, ledger, { read: englishReader(), seed, negatives });
  for (const outcome of made.found) options.onOutcome?.(outcome);
  yield* made.rows;
}
