import type { Command } from "commander";
import type { CommandContext } from "../../frame/context.ts";
import * as ablate from "./ablate.ts";

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Measure how a model sees videos.")
    .addHelpText("after", "\nExample:\n  llava video ablate questions.jsonl --frames 4,8,16 --strides 1,2");
  ablate.configure(command.command("ablate"), context);
}
