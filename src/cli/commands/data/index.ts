import type { Command } from "commander";
import type { CommandContext } from "../../frame/context.ts";
import { configure as check } from "./check.ts";
import { configure as filter } from "./filter.ts";
import { configure as inspect } from "./inspect.ts";
import { configure as instruct } from "./instruct.ts";
import { configure as preferences } from "./preferences.ts";
import { configure as questions } from "./questions.ts";
import { configure as recaption } from "./recaption.ts";
import { configure as scienceqa } from "./scienceqa.ts";
import { configure as status } from "./status.ts";

/** One file of this folder a subcommand; what it needs is imported when it runs. */
const subcommands = [check, inspect, instruct, preferences, recaption, status, questions, filter, scienceqa];

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Make and look at training data.")
    .addHelpText(
      "after",
      "\nExample:\n  llava data questions --captions Flickr8k.token.txt --out train.json --evaluation test.jsonl",
    );
  for (const subcommand of subcommands) subcommand(command, context);
}
