import type { Command } from "commander";
import { defaultModel, listModels, resolveModel } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { fileSize } from "../../frame/sizes.ts";

export function configure(command: Command, { progress, report, signal }: CommandContext): void {
  command
    .description("List, fetch and inspect models.")
    .addHelpText("after", `\nExample:\n  llava model pull ${defaultModel}`);

  command
    .command("list")
    .description("List the built-in models and those in the cache.")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExample:\n  llava model list")
    .action(({ json }: { json?: boolean }) => {
      const models = listModels();
      if (json) return console.log(JSON.stringify(models, null, 2));
      const width = Math.max(...models.map(({ name }) => name.length));
      for (const { name, summary, bytes, complete } of models) {
        console.log(`${name.padEnd(width)}  ${complete ? fileSize(bytes) : "not fetched"}  ${summary}`);
      }
    });

  command
    .command("pull")
    .description("Fetch a built-in model or one of the hub (organisation/name) into the cache.")
    .argument("[name]", "built-in name or hub name", defaultModel)
    .addHelpText("after", `\nExample:\n  llava model pull ${defaultModel}`)
    .action(async (name: string) => {
      const resolved = await resolveModel(name, { progress, report, signal: signal() });
      console.log(resolved.kind === "folder" ? resolved.path : resolved.folder);
    });

  command
    .command("info")
    .description("Show the configuration, files and tensors of a model.")
    .argument("[name]", "built-in name, folder or hub name", defaultModel)
    .option("--json", "print as JSON")
    .option("--tensors", "list every tensor")
    .addHelpText("after", `\nExample:\n  llava model info ${defaultModel} --tensors`)
    .action(async (name: string, { json, tensors }: { json?: boolean; tensors?: boolean }) => {
      const model = await resolveModel(name, { offline: true });
      const { inspectModel, renderModel } = await import("./info.ts");
      const information = inspectModel(model);
      console.log(json ? JSON.stringify(information, null, 2) : renderModel(information, tensors ?? false));
    });
}
