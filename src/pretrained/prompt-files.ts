import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type JsonObject, readJsonVerbatim, writeAtomically } from "../files/index.ts";

/** How the prompts of a model are written and where its answers end: what goes with its weights. */
export interface PromptFiles {
  /** Jinja. */
  readonly chatTemplate: string;
  /** Ids that end answers. */
  readonly stopIds: readonly number[];
}

/** Writes `chat_template.jinja`, which is read before all other places of a chat template. */
export const writeChatTemplate = (folder: string, { chatTemplate }: PromptFiles): void =>
  writeAtomically(join(folder, "chat_template.jinja"), [chatTemplate]);

/**
 * Makes a checkpoint's files say how its prompts are written: its chat template in one place, and in
 * `generation_config.json` every id that ends answers, by which other programs stop.
 */
export function writePromptFiles(folder: string, files: PromptFiles): void {
  writeChatTemplate(folder, files);
  rmSync(join(folder, "chat_template.json"), { force: true });
  for (const name of ["tokenizer_config.json", "processor_config.json"]) {
    const path = join(folder, name);
    const { chat_template: stale, ...others } = existsSync(path) ? readJsonVerbatim(path) : {};
    if (stale !== undefined) writeJson(path, others);
  }
  const path = join(folder, "generation_config.json");
  const config = readJsonVerbatim(join(folder, "config.json"));
  const generation = existsSync(path) ? readJsonVerbatim(path) : {};
  const text = config["text_config"] as JsonObject | undefined;
  const stated = numbers(generation["eos_token_id"] ?? config["eos_token_id"] ?? text?.["eos_token_id"]);
  if (files.stopIds.every((id) => stated.includes(id))) return;
  const all = [...new Set([...stated, ...files.stopIds])];
  writeJson(path, { ...generation, eos_token_id: all.length === 1 ? all[0] : all });
}

/** Of a number or a list that was read verbatim. */
const numbers = (value: unknown): number[] =>
  [JSON.parse(JSON.stringify(value ?? null))].flat().filter((id) => typeof id === "number");

const writeJson = (path: string, value: unknown): void =>
  writeAtomically(path, [`${JSON.stringify(value, null, 2)}\n`]);
