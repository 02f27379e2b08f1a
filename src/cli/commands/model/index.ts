import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { ReaderName, Verdict } from "../../../pretrained/index.ts";
import { defaultModel, listModels, resolveModel } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { printable } from "../../frame/printable.ts";
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
    .description(
      "Show what a model, or a part of one, is: its parts, images, configuration, files and tensors.",
    )
    .argument("[name]", "built-in name, folder, GGUF file or hub name", defaultModel)
    .option("--json", "print as JSON")
    .option("--tensors", "list every tensor")
    .option("--revision <name>", "branch, tag or commit of a model on the hub (default: main)")
    .addHelpText("after", `\nExample:\n  llava model info ${defaultModel} --tensors`)
    .action(async (name: string, { json, tensors, revision }: InfoFlags) => {
      const model = await resolveModel(name, { offline: true, ...(revision !== undefined && { revision }) });
      const { inspectModel, renderModel } = await import("./info.ts");
      const { machineMemory, modelMemory, renderMemory } = await import("../../frame/model-memory.ts");
      const information = await inspectModel(model);
      const path = model.kind === "folder" ? model.path : model.name;
      const memory = await modelMemory({ model: path }, model);
      if (json) return console.log(JSON.stringify({ ...information, memory }, null, 2));
      const needs = memory ? ["", "to answer:", ...renderMemory(memory, machineMemory().total)] : [];
      console.log([renderModel(information, tensors ?? false), ...needs].join("\n"));
    });

  command
    .command("check")
    .description("Say whether vLLM and SGLang load a checkpoint, by the rules of their loaders.")
    .argument("<name>", "folder or hub name in the cache")
    .option("--for <program>", "vllm or sglang; may be repeated (default: both)", collect)
    .option("--json", "print as JSON")
    .option("--revision <name>", "branch, tag or commit of a model on the hub (default: main)")
    .addHelpText(
      "after",
      "\nReads configuration and names of tensors. Exits with 1 where none of the programs serves it.\n\nExample:\n  llava model check ./llava-v1.6-hf --for vllm",
    )
    .action(async (name: string, { for: programs, json, revision }: CheckFlags) => {
      const model = await resolveModel(name, { offline: true, ...(revision !== undefined && { revision }) });
      const { checkReaders, readerNames } = await import("../../../pretrained/index.ts");
      const chosen = programs?.map((program) => readerOf(program, readerNames)) ?? readerNames;
      const verdicts = checkReaders(model.kind === "folder" ? model.path : model.folder, chosen);
      console.log(json ? JSON.stringify(verdicts, null, 2) : verdicts.map(renderVerdict).join("\n"));
      if (!verdicts.some(({ isServed }) => isServed)) process.exitCode = 1;
    });
}

interface CheckFlags {
  for?: string[];
  json?: boolean;
  revision?: string;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

function readerOf(program: string, names: readonly ReaderName[]): ReaderName {
  const found = names.find((name) => name === program.toLowerCase());
  if (found !== undefined) return found;
  throw new LlavaError("usage", `--for ${program}: its rules are not known`, {
    hint: `Known are ${names.join(" and ")}.`,
  });
}

function renderVerdict({ reader, version, isServed, findings }: Verdict): string {
  const lines = findings.map(
    ({ severity, rule, message, hint }) => `  ${severity}, ${rule}: ${message}\n    ${hint}`,
  );
  const verdict = isServed ? "serves it" : "does not load it";
  return [`${reader} ${version} ${verdict}`, ...lines].map(printable).join("\n");
}
