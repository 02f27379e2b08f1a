import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { AskOptions, LedgerCounts, Spending } from "../../../runner/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { addEndpointOptions, type EndpointFlags, retryOf } from "../../frame/endpoint-options.ts";
import { count, positive } from "../../frame/model-options.ts";

/** What `addLedgerOptions` reads. */
export interface LedgerFlags extends EndpointFlags {
  readonly out: string;
  readonly run?: string;
  readonly budget?: number;
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly batchApi?: boolean;
  readonly batchPoll: number;
  readonly batchTokens?: number;
  readonly limit?: number;
  readonly estimate?: number | true;
  readonly json?: boolean;
}

/** Options of a command whose requests stand in a ledger. */
export const addLedgerOptions = (command: Command): Command =>
  addEndpointOptions(
    command
      .option("--run <folder>", "where replies and reports go (default: the rows' name with .run)")
      .option("--budget <amount>", "what the run may cost in all, in the currency of --price", positive)
      .option("--requests-per-minute <n>", "of all processes of the run together", positive)
      .option("--tokens-per-minute <n>", "likewise", positive)
      .option("--batch-api", "send the requests as batches, at half the price, answered within a day")
      .option("--batch-poll <seconds>", "time between two looks at batches", positive, 30)
      .option("--batch-tokens <n>", "prompts' tokens that the account lets wait at once", count)
      .option("--limit <n>", "take this many images from the begin", count)
      .option("--estimate [n]", "print tokens and cost, after asking about n images where n is given", count)
      .option("--json", "print the report or the estimate as JSON"),
  );

export const runFolder = ({ run, out }: Pick<LedgerFlags, "run" | "out">): string =>
  run ?? `${out.replace(/\.jsonl?$/, "")}.run`;

/** How a run asks, as flags say. @throws LlavaError "usage" for a budget without a price */
export function askOptions(flags: LedgerFlags, context: CommandContext, signal: AbortSignal): AskOptions {
  const { price, budget } = flags;
  if (budget !== undefined && price === undefined)
    throw new LlavaError("usage", "--budget takes --price", {
      hint: "Give --price input/output of a million tokens.",
    });
  return {
    retry: retryOf(flags),
    price,
    budget,
    limits: { requestsPerMinute: flags.requestsPerMinute, tokensPerMinute: flags.tokensPerMinute },
    batching: {
      room: { tokens: flags.batchTokens },
      pollMs: flags.batchPoll * 1000,
      onNote: (note) => context.warn(note),
    },
    signal,
  };
}

/** A bar of what a ledger holds of a plan. */
export function ledgerBar(
  { progress }: CommandContext,
  task: { readonly label: string; readonly total: number; readonly unit: string },
  money: (amount: number) => string,
): { readonly onProgress: NonNullable<AskOptions["onProgress"]>; stop(): void } {
  const bar = progress(task);
  let before: number | undefined;
  return {
    onProgress: ({ done, failed }: LedgerCounts, { spent }: Spending) => {
      before ??= done + failed;
      bar.update(done + failed, `${failed > 0 ? `${failed} failed, ` : ""}cost ${money(spent)}`, before);
    },
    stop: () => bar.stop(),
  };
}

/** "cost 0.43, 0.02 of it for requests whose bill nobody saw" */
export const shownSpending = ({ spent, unknown }: Spending, money: (amount: number) => string): string =>
  `cost ${money(spent)}${unknown > 0 ? `, ${money(unknown)} of it for requests whose bill nobody saw` : ""}`;
