import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { RunStatus } from "../../../runner/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { positive } from "../../frame/model-options.ts";

interface Options {
  watch?: boolean;
  interval: number;
  json?: boolean;
  engine?: string;
}

export function configure(data: Command, context: CommandContext): void {
  data
    .command("status")
    .description("Tell how far a run of instruct, preferences or recaption is, from any process.")
    .argument("<run>", "the run's folder")
    .option("--watch", "tell it again and again, with rate and time left, until all is done")
    .option("--interval <seconds>", "between two looks", positive, 2)
    .option("--engine <url>", "of a run whose ledger is on a server: postgres://user@host/database")
    .option("--json", "print JSON, one line a look")
    .addHelpText("after", "\nExample:\n  llava data status captions.run --watch")
    .action((run: string, options: Options) => tell(run, options, context));
}

/** What a look adds to the one before. */
interface Speed {
  /** Items a second since the first look. */
  readonly rate: number | null;
  readonly secondsLeft: number | null;
}

async function tell(
  run: string,
  { watch, interval, json, engine }: Options,
  context: CommandContext,
): Promise<void> {
  const { readStatus, money, PostgresLedger } = await import("../../../runner/index.ts");
  await using server =
    engine === undefined ? undefined : await PostgresLedger.open(engine, basename(run), { mustExist: true });
  const look = async () => await (server?.status() ?? readStatus(join(run, "ledger.sqlite")));
  const signal = watch ? context.signal() : undefined;
  let first: { readonly at: number; readonly ended: number } | undefined;
  for (;;) {
    const started = performance.now();
    const status = await look();
    const took = performance.now() - started;
    first ??= { at: started, ended: status.ended };
    const seconds = (started - first.at) / 1000;
    const rate = seconds > 0 ? (status.ended - first.ended) / seconds : null;
    const speed = { rate, secondsLeft: rate ? (status.total - status.ended) / rate : null };
    console.log(json ? JSON.stringify({ ...status, ...speed }) : shown(status, speed, money));
    if (!watch || status.ended === status.total) return;
    // Looking at millions of items takes a while, and slows down those who work.
    await sleep(Math.max(interval * 1000, 10 * took), undefined, { signal: signal! }).catch(() => {});
    if (signal!.aborted) return;
  }
}

function shown(
  { items, total, ended, workers, spending, budget }: RunStatus,
  { rate, secondsLeft }: Speed,
  money: (amount: number) => string,
): string {
  const counts = Object.entries(items).map(([name, count]) => `${name} ${count}`);
  const { spent, unknown, reserved } = spending;
  const cost = `spent ${money(spent)}${unknown > 0 ? ` (${money(unknown)} unseen)` : ""}, reserved ${money(reserved)}${budget === undefined ? "" : ` of ${money(budget)}`}`;
  return [
    `${ended}/${total} (${counts.join(", ")})`,
    ...(rate === null ? [] : [`${rate.toFixed(1)}/s`]),
    ...(secondsLeft === null ? [] : [`${Math.ceil(secondsLeft)} s left`]),
    ...(spent + reserved > 0 ? [cost] : []),
    `${workers} ${workers === 1 ? "process" : "processes"}`,
  ].join("  ");
}
