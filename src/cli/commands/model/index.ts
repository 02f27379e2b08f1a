import type { Command } from "commander";
import { defaultModel, listModels, resolveModel } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { fileSize } from "../../frame/sizes.ts";

interface InfoFlags {
  json?: boolean;
  tensors?: boolean;
  revision?: string;
}

const hubNamesHelp = `Names of models on the hub:
  organisation/name                  the newest commit of its main branch
  organisation/name@revision         a branch, tag or commit
  organisation/name:folder           a folder of the repository
  organisation/name:Q4_K_M           a GGUF file among several, by its name or a part of it
Gated and private models need a token: HF_TOKEN, or hf auth login.`;

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
    .description("Fetch a built-in model or one of the hub into the cache, or what is new of it.")
    .argument("[name]", "built-in name or hub name", defaultModel)
    .option("--revision <name>", "branch, tag or commit of a model on the hub (default: main)")
    .addHelpText("after", `\n${hubNamesHelp}\n\nExample:\n  llava model pull ${defaultModel}`)
    .action(async (name: string, { revision }: { revision?: string }) => {
      const which = { ...(revision !== undefined && { revision }), refresh: true };
      const resolved = await resolveModel(name, { ...which, progress, report, signal: signal() });
      console.log(resolved.kind === "folder" ? resolved.path : resolved.folder);
    });

  command
    .command("info")
    .description("Show the configuration, files and tensors of a model.")
    .argument("[name]", "built-in name, folder or hub name", defaultModel)
    .option("--json", "print as JSON")
    .option("--tensors", "list every tensor")
    .option("--revision <name>", "branch, tag or commit of a model on the hub (default: main)")
    .addHelpText("after", `\nExample:\n  llava model info ${defaultModel} --tensors`)
    .action(async (name: string, { json, tensors, revision }: InfoFlags) => {
      const model = await resolveModel(name, { offline: true, ...(revision !== undefined && { revision }) });
      const { inspectModel, renderModel } = await import("./info.ts");
      const { machineMemory, modelMemory, renderMemory } = await import("../../frame/model-memory.ts");
      const information = inspectModel(model);
      const path = model.kind === "folder" ? model.path : model.name;
      const memory = await modelMemory({ model: path }, model);
      if (json) return console.log(JSON.stringify({ ...information, memory }, null, 2));
      const needs = memory ? ["", "to answer:", ...renderMemory(memory, machineMemory().total)] : [];
      console.log([renderModel(information, tensors ?? false), ...needs].join("\n"));
    });
}
