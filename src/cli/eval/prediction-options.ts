import type { Command } from "commander";
import { collect } from "../model-options.ts";

/** What `addPredictions` reads. */
export interface PredictionFlags {
  readonly predictions: readonly string[];
  readonly data: string;
}

/** A benchmark, answers to it and its questions, for commands that need all of them. */
export const addPredictions = (command: Command): Command =>
  command
    .argument("<benchmark>", "name, as llava eval list prints it")
    .requiredOption(
      "-p, --predictions <file>",
      "answers, in LLaVA's JSONL or the benchmark's format (repeatable)",
      collect,
    )
    .requiredOption("-d, --data <folder>", "the dataset's original files");
