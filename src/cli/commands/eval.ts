import type { Command } from "commander";
import type { CommandContext, CommandModule } from "../context.ts";
import * as compare from "../eval/compare.ts";
import * as judge from "../eval/judge.ts";
import * as list from "../eval/list.ts";
import * as report from "../eval/report.ts";
import * as run from "../eval/run.ts";
import * as score from "../eval/score.ts";
import * as study from "../eval/study.ts";
import * as submit from "../eval/submit.ts";

/** In the order in which the help lists them; each loads what it needs when it runs. */
const verbs: Readonly<Record<string, CommandModule>> = {
  list,
  run,
  score,
  judge,
  submit,
  compare,
  report,
  study,
};

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Run and score the benchmarks of the LLaVA papers.")
    .addHelpText("after", "\nExample:\n  llava eval list");
  for (const [name, verb] of Object.entries(verbs)) verb.configure(command.command(name), context);
}
