import type { Command } from "commander";
import type { CommandContext, CommandModule } from "../../frame/context.ts";
import * as build from "./build.ts";
import * as compare from "./compare.ts";
import * as judge from "./judge.ts";
import * as list from "./list.ts";
import * as report from "./report.ts";
import * as review from "./review.ts";
import * as run from "./run.ts";
import * as score from "./score.ts";
import * as study from "./study.ts";
import * as submit from "./submit.ts";

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
  build,
  review,
};

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Run and score the benchmarks of the LLaVA papers.")
    .addHelpText("after", "\nExample:\n  llava eval list");
  for (const [name, verb] of Object.entries(verbs)) verb.configure(command.command(name), context);
}
