import { existsSync, globSync } from "node:fs";
import type { Command } from "commander";
import type { ReadAnswersOptions } from "../../../evaluation/index.ts";
import { collect } from "../../frame/model-options.ts";

/** What `addPredictions` reads. */
export interface PredictionFlags extends FieldFlags {
  readonly predictions: readonly string[];
  readonly data: string;
}

/** What `addFields` reads. */
export interface FieldFlags {
  readonly answerField?: string;
  readonly idField?: string;
}

/** A benchmark, answers to it and its questions, for commands that need all of them. */
export const addPredictions = (command: Command): Command =>
  addFields(
    command
      .argument("<benchmark>", "name, as llava eval list prints it")
      .requiredOption(
        "-p, --predictions <file>",
        "answers, in LLaVA's JSONL, the benchmark's or another evaluation's format (repeatable: chunks of one run)",
        collect,
      )
      .requiredOption("-d, --data <folder>", "the dataset's original files"),
  );

/** Options that say where rows of predictions have what is asked for. */
export const addFields = (command: Command): Command =>
  command
    .option("--answer-field <name>", "the field of a row that holds the model's answer")
    .option("--id-field <name>", "the field of a row that holds the question's id");

export const fieldsOf = ({ answerField, idField }: FieldFlags): ReadAnswersOptions["fields"] => ({
  answer: answerField,
  id: idField,
});

/** The files that a path stands for: itself, or those that it matches as a pattern, in the order of their names. */
export function filesOf(path: string): string[] {
  if (existsSync(path) || !/[*?[{]/.test(path)) return [path];
  const found = globSync(path);
  return found.length === 0 ? [path] : found.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}
