import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { silentProgress } from "../setup/index.ts";
import { resolveRecipe } from "../training/index.ts";
import { createContext } from "./frame/context.ts";

const source = fileURLToPath(new URL("../", import.meta.url));
using context = createContext(silentProgress, () => {});

/** Options of all commands, by their words: "eval run" → "--partial", … */
const options = new Map<string, ReadonlySet<string>>();
for (const file of globSync("cli/commands/*/index.ts", { cwd: source })) {
  const command = new Command(/(\w+)\/index\.ts$/.exec(file)![1]!);
  (await import(`${source}${file}`)).configure(command, context);
  for (const verb of [command, ...command.commands]) {
    const name = verb === command ? command.name() : `${command.name()} ${verb.name()}`;
    options.set(name, new Set(verb.options.map(({ long }) => long!)));
  }
}

/** The commands that the code of a folder may speak to. */
function commandsOf(file: string): string[] {
  const [, group, verb] = /^cli\/commands\/(\w+)\/([\w-]+)\.ts/.exec(file) ?? [];
  if (group !== undefined && group !== "eval" && group !== "data") return [group];
  // What is said about rows is also about the training that will read them.
  if (group !== undefined && options.has(`${group} ${verb}`))
    return [`${group} ${verb}`, ...(group === "data" ? ["train"] : [])];
  const groups = [...options.keys()];
  if (group === "eval" || file.startsWith("evaluation/"))
    return groups.filter((name) => name.startsWith("eval"));
  if (group === "data" || /^(data|datagen)\//.test(file))
    return groups.filter((name) => /^(data|train)/.test(name));
  if (file.startsWith("training/plan/")) return ["train", "plan"];
  if (file.startsWith("training/")) return ["train"];
  if (file.startsWith("runner/ledger/")) return groups.filter((name) => name.startsWith("data"));
  if (file.startsWith("distributed/")) return ["launch"];
  if (file.startsWith("pretrained/conversion/")) return ["convert"];
  return ["chat", "generate", "trace", "eval run"];
}

function isField(path: string): boolean {
  const fields = { data: {}, optimizer: {} } as Parameters<typeof resolveRecipe>[0];
  try {
    resolveRecipe(fields, [{ path, value: "1" }]);
  } catch (error) {
    return !/has no field/.test((error as Error).message);
  }
  return true;
}

/** The command that a hint spells out before an option: "llava convert --to hf". */
function spelledBefore(text: string): string | undefined {
  const [, first, second] = /.*\bllava ([a-z]+)(?: ([a-z]+))?/s.exec(text) ?? [];
  return [`${first} ${second}`, `${first}`].find((name) => options.has(name));
}

/** A file, an option that a hint in it names, and the command if the hint spells it; those of set-up are other programs'. */
const named = globSync("**/*.ts", { cwd: source })
  .filter((file) => !file.endsWith(".test.ts") && !file.startsWith("setup/"))
  .flatMap((file) =>
    [
      ...readFileSync(`${source}${file}`, "utf8").matchAll(
        /\bhints?(?::|\s*=)\s*([^;]{0,600}?)(?:\n\s*\}|;|\}\))/g,
      ),
    ]
      .flatMap(([, hint]) =>
        Array.from(
          hint!.matchAll(/(?<![\w-])--[a-z][\w.-]*\w/g),
          ({ 0: option, index }) => [file, option, spelledBefore(hint!.slice(0, index))] as const,
        ),
      )
      .filter(([, option]) => option !== "--path.of.field"),
  );

test("hints name options that a command has which shows them", () => {
  assert.ok(named.length > 20, `${named.length} found`);
  const wrong = named.filter(([file, option, spelled]) => {
    const commands = [...(spelled === undefined ? [] : [spelled]), ...commandsOf(file)];
    const has = (command: string): boolean =>
      options.get(command)!.has(option) || (command === "train" && isField(option.slice(2)));
    return !commands.some(has);
  });
  assert.deepEqual(wrong, []);
});

/** No benchmark that a model here is asked shows it videos. */
const aboutVideos = new Set(["--frames", "--rope-factor"]);

test("hints about models name options of every command that loads one", () => {
  for (const [file, option] of named.filter(
    ([file, , spelled]) =>
      spelled === undefined &&
      /^(models|pretrained(?!\/conversion)|generation|torch|processing)\//.test(file),
  ))
    for (const command of ["chat", "generate", "trace", ...(aboutVideos.has(option) ? [] : ["eval run"])])
      assert.ok(options.get(command)!.has(option), `${file}: ${option} is none of ${command}`);
});
